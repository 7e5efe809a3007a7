/** What bgpdump and tshark make of what our speaker tells watchers. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { execa } from 'execa'

export const BMP_PORT = 11019

class Folder implements Disposable {
  readonly #path = mkdtempSync('/run/decoded-')

  at(name: string): string {
    return join(this.#path, name)
  }

  [Symbol.dispose](): void {
    rmSync(this.#path, { recursive: true })
  }
}

/** Lines of `bgpdump -m` for these MRT records, of which it complains in no way. */
export async function bgpdump(records: readonly Uint8Array[]): Promise<readonly string[]> {
  using folder = new Folder()
  const file = folder.at('records.mrt')
  writeFileSync(file, Buffer.concat(records))
  const { stdout, stderr } = await execa('bgpdump', ['-m', file])
  assert.doesNotMatch(stderr, /\[(?:error|warn)\]/, 'bgpdump complains of nothing')
  return stdout.split('\n').filter(line => line !== '')
}

/** The stream as tshark takes it apart, wrapped into TCP segments of one message each. */
export async function decodeBmp(bytes: Buffer): Promise<string> {
  using folder = new Folder()
  const hex = folder.at('bmp.hex')
  const capture = folder.at('bmp.pcap')
  const packets: string[] = []
  for (let at = 0; at + 6 <= bytes.length; ) {
    const length = bytes.readUInt32BE(at + 1)
    packets.push(
      `000000 ${(
        bytes
          .subarray(at, at + length)
          .toString('hex')
          .match(/../g) ?? []
      ).join(' ')}\n`,
    )
    at += length
  }
  writeFileSync(hex, packets.join('\n'))
  await execa('text2pcap', ['-q', '-T', `40000,${BMP_PORT}`, hex, capture])
  const { stdout } = await execa('tshark', ['-r', capture, '-d', `tcp.port==${BMP_PORT},bmp`, '-V', '-O', 'bmp,bgp'])
  return stdout
}
