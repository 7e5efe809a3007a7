import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { capture } from './capture.ts'
import { type Frame, ICMP_ECHO_REQUEST } from './frame.ts'
import { createLab, type Lab } from './lab.ts'
import { flood, ping } from './ping.ts'
import { topology } from './topology.ts'

let lab: Lab
before(async () => {
  lab = await createLab(topology(2, 2, 1), { agents: false })
})
after(() => lab[Symbol.asyncDispose]())

test('nodes of a rack reach each other directly, those of two racks through the router', async () => {
  assert.deepEqual((await ping(lab, 'a1', '172.16.20.12')).ttls, [64])
  assert.deepEqual((await ping(lab, 'a1', '172.16.36.12')).ttls, [63])
})

test('a node is a bare machine: one default route, no forwarding, loose rp_filter', async () => {
  const rows = await lab.routes('b2')
  assert.deepEqual(
    rows.map(row => `${row.dst} ${row.gateway ?? row.dev}`),
    ['default 172.16.36.1', '172.16.36.0/24 eth0'],
  )
  const { stdout } = await lab.exec('b2', [
    'sh',
    '-c',
    'cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/conf/eth0/rp_filter',
  ])
  assert.equal(stdout, '0\n2')
})

test('the router refuses what it does not know', async () => {
  const { received, refusals } = await ping(lab, 'a1', '10.244.0.1', 1)
  assert.equal(received, 0)
  assert.match(refusals.join(), /From 172\.16\.20\.1 icmp_seq=1 Destination Net Unreachable/)
})

test("a rack's bridge shows frames between its nodes, from the first one on", async () => {
  await using wire = await capture(lab, 'router:rack-a', { filter: isRequest })
  await ping(lab, 'a1', '172.16.20.12')
  const { ip } = await wire.first(() => true)
  assert.deepEqual([ip?.source, ip?.destination, ip?.ttl, ip?.protocol, ip?.length], ['172.16.20.11', '172.16.20.12', 64, 1, 84])
  const frames = await wire.stop()
  assert.deepEqual(frames.map(sequenceOf), [1, 2, 3])
})

test('a capture that waits in vain says what it saw instead', async () => {
  await using wire = await capture(lab, 'b1:eth0')
  await ping(lab, 'b1', '172.16.36.12', 1)
  await assert.rejects(
    wire.first(frame => frame.ip?.protocol === 4, 50),
    /a frame on b1:eth0: it did not come within 0\.05 s: it carried \d+ frames[\s\S]*172\.16\.36\.11 > 172\.16\.36\.12 ICMP echo request 1 ttl 64/,
  )
})

test('a flood without trouble loses nothing', async () => {
  const pings = flood(lab, 'a1', '172.16.36.11')
  await pings.flowing(30)
  const { sent, received, lostSequences } = await pings.stop()
  assert.ok(sent >= 30, `${sent} sent`)
  assert.deepEqual([received, lostSequences], [sent, []])
})

test('a flood counts what is lost by sequence number', async () => {
  const pings = flood(lab, 'a1', '172.16.36.11')
  await pings.flowing(10)
  await lab.ip('router', ['route', 'add', 'blackhole', '172.16.36.11'])
  await using wire = await capture(lab, 'router:rack-a', { filter: isRequest })
  await wire.first(frame => sequenceOf(frame) > 20)
  await lab.ip('router', ['route', 'del', 'blackhole', '172.16.36.11'])
  await wire.first(frame => sequenceOf(frame) > (wire.frames[0] === undefined ? 0 : sequenceOf(wire.frames[0])) + 20)
  const { sent, received, lostSequences } = await pings.stop()
  assert.equal(sent - received, lostSequences.length)
  const [first = 0] = lostSequences
  assert.ok(lostSequences.length > 3 && first > 10, `lost ${lostSequences} of ${sent}`)
  assert.deepEqual(
    lostSequences,
    Array.from(lostSequences, (_, at) => first + at),
  )
})

test('unknown names get a sentence with the known ones', async () => {
  await assert.rejects(lab.exec('c9', ['true']), /cannot find "c9" in the lab: it has a1, a1-p1, a2, .*, router/)
  await assert.rejects(capture(lab, 'a1:eth7'), /cannot capture on a1:eth7: a1 has lo, .*eth0/)
  await assert.rejects(capture(lab, 'a1'), /a link is written like a1:eth0/)
})

test('a command that fails is a value, one that is late is stopped', async () => {
  assert.deepEqual(await lab.exec('a1', ['sh', '-c', 'echo no >&2; exit 3']), { stdout: '', stderr: 'no', exitCode: 3 })
  const late = await lab.exec('a1', ['sleep', '60'], { timeoutMs: 50 })
  assert.deepEqual([late.exitCode, late.stderr.trim()], [124, 'stopped after 0.05 s: sleep 60'])
})

test('there is one lab at a time', async () => {
  await assert.rejects(createLab(topology(1, 1, 0)), /there is one already/)
})

function isRequest(frame: Frame): boolean {
  return frame.ip?.payload.is === 'icmp' && frame.ip.payload.type === ICMP_ECHO_REQUEST
}

function sequenceOf(frame: Frame): number {
  return frame.ip?.payload.is === 'icmp' ? frame.ip.payload.sequence : 0
}
