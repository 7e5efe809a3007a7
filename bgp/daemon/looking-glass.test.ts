/** Whatever somebody asks a looking glass, it answers, and lives on. */
import assert from 'node:assert/strict'
import { request } from 'node:http'
import { test } from 'node:test'
import fc from 'fast-check'
import { Cluster, routes } from '../testing/cluster.ts'
import { openLookingGlass } from './looking-glass.ts'

test('paths that are none are answered with 404, and the service goes on', async () => {
  const cluster = new Cluster()
  const { speaker } = await cluster.member('192.0.2.1')
  speaker.originate(routes('10.1.0.0/24'))
  await using glass = await openLookingGlass({ address: '127.0.0.1', port: 0 }, speaker, cluster.clock)
  for (const path of ['/%E0%A4%A', '//', '//[', '/routes/net/%', '/route/prefix/999.1.1.1/99', '/protocols/bgp/%00', '/x'])
    assert.equal(await statusOf(glass.port, path), 404, path)
  const printable = fc.string({ unit: fc.integer({ min: 33, max: 126 }).map(code => String.fromCharCode(code)), maxLength: 30 })
  await fc.assert(
    fc.asyncProperty(printable, async path => {
      assert.ok([200, 404].includes(await statusOf(glass.port, `/${path}`)), path)
    }),
    { numRuns: 60 },
  )
  assert.equal(await statusOf(glass.port, '/routes/net/10.1.0.0%2F24'), 200)
})

function statusOf(port: number, path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, path, timeout: 20_000 }, response => {
      response.resume()
      response.on('end', () => resolve(response.statusCode ?? 0))
    })
    asked.on('timeout', () => asked.destroy(new Error(`no answer to ${path}`)))
    asked.on('error', reject)
    asked.end()
  })
}
