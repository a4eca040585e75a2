// SPDX-License-Identifier: Apache-2.0
// Parses the kernel's texts about namespaces: links of /proc/PID/ns, mounts of nsfs, /proc/PID/stat. Keeps bytes that are not UTF-8. Pure.

/** Parses `net:[4026531840]`, the text of a link or the root of a mount. */
export function parseNamespaceName(text: string): { file: string; id: number } | undefined {
  const [, file, id] = /^([a-z]+)(?:_for_children)?:\[(\d+)\]$/.exec(text) ?? []
  return file === undefined ? undefined : { file, id: Number(id) }
}

/** Returns the mounts of namespaces. `mountinfo` is decoded as latin1, which keeps the bytes of paths. */
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

/** Returns the short name and the parent from /proc/PID/stat. The name can contain any byte, so fields count from the last parenthesis. */
export function parseStat(stat: Buffer): { comm: string; ppid: number } {
  const end = stat.lastIndexOf(')')
  const [, ppid] = stat
    .subarray(end + 2)
    .toString('latin1')
    .split(' ')
  return { comm: decodeBytes(stat.subarray(stat.indexOf('(') + 1, end)), ppid: Number(ppid) }
}

/** Returns a byte that is not part of a UTF-8 character as a lone surrogate, which decoded text cannot contain. */
const strayBase = 0xdc00

/** Decodes bytes. `strayByte` returns the original of each byte that is not UTF-8. */
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

/** Returns the byte behind a character from `decodeBytes`. Returns undefined if the character was valid UTF-8. */
export function strayByte(character: string): number | undefined {
  const code = character.charCodeAt(0) - strayBase
  return character.length === 1 && code >= 0x80 && code <= 0xff ? code : undefined
}
