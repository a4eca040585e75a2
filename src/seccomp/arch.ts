// SPDX-License-Identifier: Apache-2.0
// The instruction sets that a machine's kernel runs, their audit constants and their system calls. Pure.
import { nearest } from '../text/nearest.ts'
import { foreignSyscalls, syscallTables } from './syscall-table.generated.ts'

/** An instruction set. x32 shares the audit constant of x86_64 and sets a bit in its call numbers. */
export interface Machine {
  name: keyof typeof syscallTables
  /** The constant AUDIT_ARCH_* of linux/audit.h. */
  word: number
  /** The name in profiles. */
  profileName: string
}

/** The bit in every x32 call number. */
export const x32Bit = 0x4000_0000

export const machines: readonly Machine[] = [
  { name: 'x86_64', word: 0xc000_003e, profileName: 'SCMP_ARCH_X86_64' },
  { name: 'x86', word: 0x4000_0003, profileName: 'SCMP_ARCH_X86' },
  { name: 'x32', word: 0xc000_003e, profileName: 'SCMP_ARCH_X32' },
  { name: 'aarch64', word: 0xc000_00b7, profileName: 'SCMP_ARCH_AARCH64' },
  { name: 'arm', word: 0x4000_0028, profileName: 'SCMP_ARCH_ARM' },
]

/** The instruction sets that each kernel runs, its own first. */
export const families: { readonly [machine: string]: readonly string[] } = {
  x86_64: ['x86_64', 'x86', 'x32'],
  aarch64: ['aarch64', 'arm'],
}

const read = new Map<string, Map<string, number>>()

/** Returns the call numbers by name. */
export function syscallNumbers(machine: Machine['name']): Map<string, number> {
  let numbers = read.get(machine)
  if (!numbers) {
    numbers = parseTable(syscallTables[machine])
    read.set(machine, numbers)
  }
  return numbers
}

function parseTable(text: string): Map<string, number> {
  const numbers = new Map<string, number>()
  let next = 0
  for (const word of text.trim().split(/\s+/))
    if (/^\d/.test(word)) next = Number(word)
    else numbers.set(word, next++)
  return numbers
}

/** Calls that i386 multiplexes through socketcall(2) by its first argument. A filter cannot see their own arguments. */
export const behindSocketcall =
  ' socket bind connect listen accept getsockname getpeername socketpair send recv sendto recvfrom shutdown setsockopt getsockopt sendmsg recvmsg accept4 recvmmsg sendmmsg'.split(
    ' ',
  )
export const behindIpc =
  ' semop semget semctl semtimedop       msgsnd msgrcv msgget msgctl       shmat shmdt shmget shmctl'.split(' ')

let known: Set<string> | undefined

function allNames(): Set<string> {
  known ??= new Set([
    ...machines.flatMap((machine) => [...syscallNumbers(machine.name).keys()]),
    ...foreignSyscalls.trim().split(/\s+/),
    ...behindSocketcall,
    ...behindIpc,
  ])
  return known
}

/** Returns whether a machine has a call with this name. */
export function isSyscall(name: string): boolean {
  return name !== '' && allNames().has(name)
}

/** Returns the call whose name is most similar. */
export function nearestSyscall(name: string): string | undefined {
  return nearest(name, [...allNames()])
}
