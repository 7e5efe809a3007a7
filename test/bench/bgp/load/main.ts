/** The generator and receiver, a process of its own: takes an Order as JSON in its only argument, prints an Outcome as JSON. */
import { perform } from './jobs.ts'
import type { Order } from './order.ts'

const [, , text = ''] = process.argv
const order: Order = JSON.parse(text)
process.stdout.write(`${JSON.stringify(perform(order))}\n`)
