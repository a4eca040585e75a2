// SPDX-License-Identifier: Apache-2.0
// What the listener of a filter tells: refused calls, their counts, and, of a run that learns, all calls. native/node/supervisor.c is
// this file's twin. Pure.
import { quote } from '../errors/errors.ts'
import { errnoName } from '../system/native.ts'
import { type Machine, machines, syscallNumbers, x32Bit } from './arch.ts'
import { formatArguments } from './call-arguments.ts'
import { actions } from './profile.ts'

/** Calls of one kind that a filter refused: the same call with the same arguments by a program of this name. */
export interface RefusedCall {
  /** Its name, or its number where no table has it. */
  call: string
  /** What they mean, as far as it is known: `"tmpfs", "/mnt", "tmpfs", 0`. */
  args: string
  /** Name of the program, and the process that was the first, as seen from outside. */
  program: string
  pid: number
  /** errno by name, or `killed`. */
  answer: string
  /** What of the profile refused it. */
  rule: string
  count: number
}

/** One notice; `rule` finds what of the profile it was. */
export function decodeRefused(bytes: Buffer, rule: (call: string) => string): RefusedCall {
  const [number, machine] = [bytes.readUInt32LE(0), bytes.readUInt32LE(4)]
  const args = Array.from({ length: 6 }, (_, i) => bytes.readBigUInt64LE(8 + 8 * i))
  const [answer, pid, mask] = [bytes.readUInt32LE(56), bytes.readUInt32LE(60), bytes.readUInt32LE(80)]
  const program = bytes.toString('utf8', 64, 80).replace(/[\0\n].*/s, '')
  const texts = new Map<number, string | undefined>()
  let at = 88
  for (let i = 0; i < 6; i++) {
    if (((mask >> i) & 1) === 0) continue
    const length = bytes.readUInt32LE(at)
    // none could be read, or there is none
    texts.set(i, length === 0 ? undefined : bytes.toString('utf8', at + 4, at + 4 + length))
    at += 4 + length
  }
  const call = nameOf(number, machine)
  return {
    call,
    args: formatArguments(call, args, texts),
    program: quote(program),
    pid,
    answer: formatAnswer(answer),
    rule: rule(call),
    count: 1,
  }
}

/** How often each kind, and how many were of others: the last. */
export function decodeCounts(bytes: Buffer): number[] {
  return Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readUInt32LE(4 * i))
}

/** As a line for people, without its count. */
export function formatRefused({ call, args, program, pid, answer, rule }: RefusedCall): string {
  return `refused ${call}(${args}) of ${program} (pid ${pid}): ${answer}; ${rule}`
}

function formatAnswer(answer: number): string {
  if ((answer & 0xffff_0000) >>> 0 !== actions.errno) return 'killed'
  const errno = answer & 0xffff
  return errno === 0 ? '0' : errnoName(-errno)
}

function nameOf(number: number, word: number): string {
  const x32 = (number & x32Bit) !== 0
  const machine = machines.find((one) => one.word === word && (one.name === 'x32') === x32)
  const found = machine && [...syscallNumbers(machine.name)].find(([, value]) => value === number)
  return found?.[0] ?? String(number)
}

/** What every program makes at its end, at a signal, or when it goes on after one, whether it was seen or not. */
const always = ['execve', 'exit', 'exit_group', 'restart_syscall', 'rt_sigreturn']
const learnedNumbers = 1024

/** The profile that a run needed, as the OCI's specification has it. */
export function learnedProfile(seen: Buffer, family: readonly string[]): object {
  const order: (string | undefined)[] =
    family[0] === 'x86_64' ? ['x86_64', 'x32', 'x86'] : ['aarch64', undefined, 'arm']
  const names = new Set(always)
  const used = new Set<string>([family[0]!])
  for (const [table, name] of order.entries()) {
    const part = seen.subarray(table * learnedNumbers, (table + 1) * learnedNumbers)
    const machine = machines.find((one) => one.name === name)
    if (!machine || !part.includes(1)) continue
    used.add(machine.name)
    for (const [call, number] of syscallNumbers(machine.name as Machine['name']))
      if (part[number & ~x32Bit] === 1) names.add(call)
  }
  return {
    defaultAction: 'SCMP_ACT_ERRNO',
    defaultErrnoRet: 1,
    architectures: machines.filter(({ name }) => used.has(name)).map(({ profileName }) => profileName),
    syscalls: [{ names: [...names].sort(), action: 'SCMP_ACT_ALLOW' }],
  }
}
