/** Calico's selector language: what a selector is, which labels it matches, and how it is printed. */

/** `all()`, `has(k)`, `k == 'v'` and so on, joined by `!`, `&&` and `||`. */
export type Selector =
  | { readonly is: 'all' | 'global' }
  | { readonly is: 'has'; readonly label: string }
  | { readonly is: Comparison; readonly label: string; readonly value: string }
  | { readonly is: 'in' | 'not in'; readonly label: string; readonly values: readonly string[] }
  | { readonly is: 'not'; readonly of: Selector }
  | { readonly is: 'and' | 'or'; readonly of: readonly Selector[] }

export type Comparison = '==' | '!=' | 'contains' | 'starts with' | 'ends with'

export type Labels = Readonly<Record<string, string>>

export const ALL: Selector = { is: 'all' }

/** Whether the selector takes something with these labels. `!=` and `not in` hold where the label is absent; the others do not. */
export function matches(selector: Selector, labels: Labels): boolean {
  switch (selector.is) {
    case 'all':
      return true
    // Takes what belongs to no namespace; namespaces have labels, and what is asked here has some too.
    case 'global':
      return false
    case 'has':
      return labelOf(labels, selector.label) !== undefined
    case 'not':
      return !matches(selector.of, labels)
    case 'and':
      return selector.of.every(one => matches(one, labels))
    case 'or':
      return selector.of.some(one => matches(one, labels))
    case 'in':
      return isOneOf(selector.values, labelOf(labels, selector.label))
    case 'not in':
      return !isOneOf(selector.values, labelOf(labels, selector.label))
    default:
      return compare(selector.is, labelOf(labels, selector.label), selector.value)
  }
}

function compare(how: Comparison, value: string | undefined, asked: string): boolean {
  if (how === '!=') return value !== asked
  if (value === undefined) return false
  switch (how) {
    case '==':
      return value === asked
    case 'contains':
      return value.includes(asked)
    case 'starts with':
      return value.startsWith(asked)
    case 'ends with':
      return value.endsWith(asked)
    default:
      return how satisfies never
  }
}

function isOneOf(values: readonly string[], value: string | undefined): boolean {
  return value !== undefined && values.includes(value)
}

/** Labels come from documents, so one may be called `constructor`. */
function labelOf(labels: Labels, label: string): string | undefined {
  return Object.hasOwn(labels, label) ? labels[label] : undefined
}

/** True where the selector, or a part of it, is `global()`. */
export function usesGlobal(selector: Selector): boolean {
  if (selector.is === 'global') return true
  if (selector.is === 'not') return usesGlobal(selector.of)
  return (selector.is === 'and' || selector.is === 'or') && selector.of.some(usesGlobal)
}

/** Prints a selector in one form only, which reads back as the same selector. */
export function formatSelector(selector: Selector): string {
  switch (selector.is) {
    case 'all':
    case 'global':
      return `${selector.is}()`
    case 'has':
      return `has(${selector.label})`
    case 'not':
      return `!${tight(selector.of)}`
    case 'and':
      return selector.of.map(tight).join(' && ')
    case 'or':
      return selector.of.map(one => (one.is === 'or' ? `(${formatSelector(one)})` : formatSelector(one))).join(' || ')
    case 'in':
    case 'not in':
      return `${selector.label} ${selector.is} {${selector.values.map(quoted).join(', ')}}`
    default:
      return `${selector.label} ${selector.is} ${quoted(selector.value)}`
  }
}

/** In brackets where `&&` or `!` would take it apart. */
function tight(selector: Selector): string {
  return selector.is === 'and' || selector.is === 'or' ? `(${formatSelector(selector)})` : formatSelector(selector)
}

/** There are no escapes, so a text holds one kind of quote at most. */
function quoted(text: string): string {
  return text.includes("'") ? `"${text}"` : `'${text}'`
}
