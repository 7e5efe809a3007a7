/** The static twin of the CNI plugin, held to the same tests. Needs no ipip, and a C compiler. */
import { staticCni } from '../lab/paths.ts'
import { testCni } from './cni.ts'

const plugin = staticCni()
if (plugin !== undefined) testCni(plugin)
