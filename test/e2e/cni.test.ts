/** The CNI plugin that Node runs, as a runtime calls it: every command, twice, out of order, with agent and plugin killed halfway. Needs no ipip. */
import { CNI_BY_NODE } from '../lab/paths.ts'
import { testCni } from './cni.ts'

testCni(CNI_BY_NODE)
