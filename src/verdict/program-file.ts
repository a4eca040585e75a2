// SPDX-License-Identifier: Apache-2.0
// Finds out from the first 256 bytes of a file how it can be executed. Pure.

/** Kinds of files that people try to execute. */
export type FileKind =
  | { kind: 'empty' }
  /**
   * A script. `rest` is the text after the interpreter. `cut` is true if the first line is longer than the part that
   * the kernel reads.
   */
  | { kind: 'script'; interpreter: string; rest: string; returns: boolean; cut: boolean }
  /** A script that begins with a byte-order mark, which hides its "#!". */
  | { kind: 'marked script' }
  | { kind: 'elf'; machine: string; bits: 32 | 64; bigEndian: boolean; executable: boolean }
  /** A program for another system, or an archive. `name` is what people call such a file. */
  | { kind: 'foreign'; name: string }
  | { kind: 'text' }
  | { kind: 'data' }

/** Number of bytes from which the kernel decides how to execute a file (BINPRM_BUF_SIZE). */
export const headBytes = 256

/** Names of processor architectures by e_machine (elf(5)), as file(1) and Debian use them. */
const machines: { [number: number]: string } = {
  2: 'SPARC',
  3: 'x86 (32 bit)',
  8: 'MIPS',
  20: 'PowerPC',
  21: 'PowerPC64',
  22: 's390',
  40: 'ARM (32 bit)',
  43: 'SPARC64',
  62: 'x86-64',
  183: 'ARM64 (aarch64)',
  243: 'RISC-V',
  247: 'BPF',
  258: 'LoongArch',
}

const signatures: readonly (readonly [hex: string, name: string])[] = [
  ['4d5a', 'a program for Windows or UEFI (MZ)'],
  ['cffaedfe', 'a program for macOS (Mach-O)'],
  ['cefaedfe', 'a program for macOS (Mach-O)'],
  ['cafebabe', 'a Java class or a program for macOS'],
  ['0061736d', 'a WebAssembly module'],
  ['504b0304', 'a zip archive (zip, jar, wheel)'],
  ['1f8b', 'gzip-compressed data'],
  ['28b52ffd', 'zstd-compressed data'],
  ['213c617263683e', 'an archive of object files (ar, .deb)'],
]

/** Returns the kind of a file. */
export function readFileKind(head: Buffer): FileKind {
  if (head.length === 0) return { kind: 'empty' }
  if (head.subarray(0, 2).toString('latin1') === '#!') return readScript(head)
  if (head.subarray(0, 5).toString('latin1') === '\xef\xbb\xbf#!') return { kind: 'marked script' }
  if (head.subarray(0, 4).toString('latin1') === '\x7fELF') return readElf(head)
  const hex = head.toString('hex')
  const known = signatures.find(([start]) => hex.startsWith(start))
  if (known) return { kind: 'foreign', name: known[1] }
  return { kind: head.every((byte) => byte >= 32 || (byte >= 7 && byte <= 13)) ? 'text' : 'data' }
}

function readScript(head: Buffer): FileKind {
  const end = head.findIndex((byte, i) => i > 1 && (byte === 10 || byte === 0))
  const line = head.toString('utf8', 2, end < 0 ? head.length : end).replace(/^[ \t]+/, '')
  const returns = line.endsWith('\r')
  const [interpreter = '', ...rest] = line.split(/[ \t]+/)
  // the name of the interpreter may be cut off, if it does not end within 256 bytes
  const cut = end < 0 && head.length >= headBytes && rest.length === 0
  return { kind: 'script', interpreter, rest: rest.join(' ').trim(), returns, cut }
}

function readElf(head: Buffer): FileKind {
  const bigEndian = head[5] === 2
  const number = (at: number) => (head.length < at + 2 ? 0 : bigEndian ? head.readUInt16BE(at) : head.readUInt16LE(at))
  const machine = machines[number(18)] ?? `machine ${number(18)}`
  // ET_EXEC and ET_DYN
  const executable = number(16) === 2 || number(16) === 3
  return { kind: 'elf', machine, bits: head[4] === 1 ? 32 : 64, bigEndian, executable }
}

/** Interpreters by the ending of a script's file name. */
const byEnding: { [ending: string]: string } = {
  sh: 'sh',
  bash: 'bash',
  zsh: 'zsh',
  py: 'python3',
  js: 'node',
  mjs: 'node',
  cjs: 'node',
  rb: 'ruby',
  pl: 'perl',
  php: 'php',
  lua: 'lua',
  jar: 'java -jar',
  exe: 'wine',
}

/** Returns the command that runs a widely used interpreter. Returns undefined for any other name. */
export function defaultInterpreter(name: string): string | undefined {
  if (/^python[\d.]*$/.test(name)) return 'python3'
  return Object.values(byEnding).includes(name) ? name : undefined
}

/** Returns the interpreter for the ending of a file name. Returns undefined for an unknown ending. */
export function interpreterFor(path: string): string | undefined {
  return byEnding[/\.(\w+)$/.exec(path)?.[1]?.toLowerCase() ?? '']
}
