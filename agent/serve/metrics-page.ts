/** Prints docs/reference/metrics.md. */

import { metricsPage } from './metric-list.ts'

process.stdout.write(metricsPage())
