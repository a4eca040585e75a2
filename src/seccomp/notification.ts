// SPDX-License-Identifier: Apache-2.0
// Decodes the notifications about system calls: refused calls, how often each was refused and, with `learn`, all calls.
// native/node/supervisor.c encodes them. Pure.
import { quote } from '../errors/errors.ts'
import { errnoName } from '../system/native.ts'
import { type Machine, machines, syscallNumbers, x32Bit } from './arch.ts'
import { formatArguments } from './call-arguments.ts'
import { actions } from './profile.ts'

/** Refused calls that are counted together: the same call with the same arguments, by programs with the same name. */
export interface RefusedCall {
  /** The name of the call, or its number if hutch does not know the name. */
  call: string
  /** The arguments as far as they are known, such as `"tmpfs", "/mnt", "tmpfs", 0`. */
  args: string
  /** The program's name. `pid` is the first process of that name that made the call, by its id outside of the job. */
  program: string
  /** Process id of the first process that made the call, as the host sees it. */
  pid: number
  /** What the filter did: the name of the errno that it returned, or `killed`. */
  answer: string
  /** The rule of the profile that refused the call. */
  rule: string
  /** Number of such calls. */
  count: number
}

/** Decodes the notification of a refused call. `rule` finds the rule that refused it. */
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
    // the text is undefined if the listener could not read it; some calls have no such argument
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

/** Decodes how often each listed call was refused. The last number counts all further calls. */
export function decodeCounts(bytes: Buffer): number[] {
  return Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readUInt32LE(4 * i))
}

/** Formats a refused call as a line, without the number of times. */
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

/**
 * System calls that every program needs at its start, its end or a signal. They are part of each learned profile, even
 * if they were not observed.
 */
const always = ['execve', 'exit', 'exit_group', 'restart_syscall', 'rt_sigreturn']
const learnedNumbers = 1024

/** Returns a profile, in OCI form, that allows the calls that a run made. */
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
