// SPDX-License-Identifier: Apache-2.0
// The kernel's texts about namespaces as values: links of /proc/PID/ns, mounts of nsfs, /proc/PID/stat; bytes that are no UTF-8 are kept.

/** `net:[4026531840]`, as a link or the root of a mount has it. */
export function parseNamespaceName(text: string): { file: string; id: number } | undefined {
  const [, file, id] = /^([a-z]+)(?:_for_children)?:\[(\d+)\]$/.exec(text) ?? []
  return file === undefined ? undefined : { file, id: Number(id) }
}

/** Mounts that hold a namespace, from mountinfo read as latin1, so that a path's bytes are kept. */
export function parseNsfsMounts(mountinfo: string): { file: string; id: number; path: Buffer }[] {
  return mountinfo.split('\n').flatMap((line) => {
    const [left = '', right = ''] = line.split(' - ')
    const [, , , root = '', path = ''] = left.split(' ')
    const name = right.startsWith('nsfs ') ? parseNamespaceName(root) : undefined
    const unescaped = path.replace(/\\([0-7]{3})/g, (_, octal: string) =>
      String.fromCharCode(Number.parseInt(octal, 8)),
    )
    return name ? [{ ...name, path: Buffer.from(unescaped, 'latin1') }] : []
  })
}

/** Short name and parent, from /proc/PID/stat; the name may hold anything, so counting starts behind its last parenthesis. */
export function parseProcess(stat: Buffer): { comm: string; ppid: number } {
  const end = stat.lastIndexOf(')')
  const [, ppid] = stat
    .subarray(end + 2)
    .toString('latin1')
    .split(' ')
  return { comm: decodeBytes(stat.subarray(stat.indexOf('(') + 1, end)), ppid: Number(ppid) }
}

/** A byte that belongs to no character, as text: a lone surrogate, which no text has by itself. */
const strayBase = 0xdc00

/** Bytes as text; `strayByte` finds those again that are no UTF-8. */
export function decodeBytes(bytes: Uint8Array): string {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  const decode = (part: Uint8Array): string | undefined => {
    try {
      return decoder.decode(part)
    } catch {
      return undefined
    }
  }
  const whole = decode(bytes)
  if (whole !== undefined) return whole
  let text = ''
  for (let at = 0; at < bytes.length; ) {
    const lead = bytes[at]!
    const size = lead < 0x80 ? 1 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2
    const character = decode(bytes.subarray(at, at + size))
    text += character ?? String.fromCharCode(strayBase + lead)
    at += character === undefined ? 1 : size
  }
  return text
}

/** The byte that a character of `decodeBytes` stands for, when it is no UTF-8. */
export function strayByte(character: string): number | undefined {
  const code = character.charCodeAt(0) - strayBase
  return character.length === 1 && code >= 0x80 && code <= 0xff ? code : undefined
}
