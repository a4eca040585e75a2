// SPDX-License-Identifier: Apache-2.0
// Parses the kernel's texts about namespaces: links of /proc/PID/ns, mounts of nsfs, /proc/PID/stat. Keeps bytes that are not UTF-8. Pure.
import { decodeBytes } from '../text/stray-bytes.ts'

/** Parses `net:[4026531840]`, which is the text of a link in /proc/PID/ns, or the root of a mounted namespace. */
export function parseNamespaceName(text: string): { file: string; id: number } | undefined {
  const [, file, id] = /^([a-z]+)(?:_for_children)?:\[(\d+)\]$/.exec(text) ?? []
  return file === undefined ? undefined : { file, id: Number(id) }
}

/** Returns the mounts of namespaces in a mountinfo file. `mountinfo` is decoded as latin1, which keeps the bytes of paths. */
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
