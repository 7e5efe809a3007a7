/** The scripts that make shells ask `calictl __complete`: each hands over the words up to the cursor and shows what comes back. */

export const SHELLS = ['bash', 'zsh', 'fish'] as const
export type Shell = (typeof SHELLS)[number]

/** How `__complete` answers that directories are wanted. */
export const DIRECTORIES = ':directories'

/** Its lines are a word each, behind a tab what it means. */
export function scriptFor(shell: Shell): string {
  return SCRIPTS[shell]
}

const BASH = `# Completion of calictl for bash. Load it once: source <(calictl completion bash)
# For ever: calictl completion bash >/etc/bash_completion.d/calictl
_calictl() {
  local line=\${COMP_LINE:0:COMP_POINT} partial= prefix=
  local -a words
  read -ra words <<<"$line"
  # Behind a blank a new word begins.
  [[ $line == *[[:blank:]] ]] && words+=('')
  partial=\${words[\${#words[@]} - 1]}
  mapfile -t COMPREPLY < <("\${words[0]/#\\~/$HOME}" __complete "\${words[@]:1}" 2>/dev/null)
  if [[ \${COMPREPLY[0]-} == '${DIRECTORIES}' ]]; then
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -d -- "$partial")
    return
  fi
  COMPREPLY=("\${COMPREPLY[@]%%$'\\t'*}")
  # Bash replaces only what stands behind the last = or : of the word.
  [[ $partial == *[=:]* ]] && prefix=\${partial%"\${partial##*[=:]}"}
  COMPREPLY=("\${COMPREPLY[@]#"$prefix"}")
}
complete -F _calictl calictl
`

const ZSH = `#compdef calictl
# Completion of calictl for zsh. Load it once: source <(calictl completion zsh)
# For ever: calictl completion zsh >/usr/local/share/zsh/site-functions/_calictl
_calictl() {
  local program=\${(Q)words[1]} line
  local -a lines values shown
  program=\${program/#\\~/$HOME}
  lines=("\${(@f)$("$program" __complete "\${(Q@)words[2,CURRENT]}" 2>/dev/null)}")
  if [ "\${lines[1]}" = '${DIRECTORIES}' ]; then
    _files -/
    return
  fi
  for line in "\${lines[@]}"; do
    [ -n "$line" ] || continue
    values+=("\${line%%$'\\t'*}")
    shown+=("\${line/$'\\t'/  -- }")
  done
  [ "\${#values}" -gt 0 ] && compadd -M 'm:{a-zA-Z}={A-Za-z}' -l -d shown -a values
}
if [ "\${funcstack[1]}" = _calictl ]; then
  _calictl "$@"
else
  type compdef >/dev/null 2>&1 || { autoload -Uz compinit && compinit; }
  compdef _calictl calictl
fi
`

const FISH = `# Completion of calictl for fish. Load it once: calictl completion fish | source
# For ever: calictl completion fish >~/.config/fish/completions/calictl.fish
function __calictl_complete
    set -l words (commandline -opc)
    set -l partial (commandline -ct)
    set -l program (string replace -r '^~' $HOME -- $words[1])
    set -e words[1]
    set -l lines ($program __complete $words "$partial" 2>/dev/null)
    if test "$lines[1]" = '${DIRECTORIES}'
        __fish_complete_directories "$partial"
        return
    end
    printf '%s\\n' $lines
end
complete -c calictl -f -a '(__calictl_complete)'
`

const SCRIPTS: Readonly<Record<Shell, string>> = { bash: BASH, zsh: ZSH, fish: FISH }
