// SPDX-License-Identifier: Apache-2.0
// Lists the instruction sets that a machine's kernel runs, with their audit constants and system calls. Pure.
import { nearest } from '../text/nearest.ts'
import { foreignSyscalls, syscallTables } from './syscall-table.generated.ts'

/** An instruction set. x32 shares the audit constant of x86_64 and sets a bit in its call numbers. */
export interface Machine {
  name: keyof typeof syscallTables
  /** The constant AUDIT_ARCH_* of linux/audit.h. */
  word: number
  /** The name of the instruction set in seccomp profiles, such as SCMP_ARCH_X86_64. */
  profileName: string
}

/** The bit that is set in the number of every x32 system call. */
export const x32Bit = 0x4000_0000

export const machines: readonly Machine[] = [
  { name: 'x86_64', word: 0xc000_003e, profileName: 'SCMP_ARCH_X86_64' },
  { name: 'x86', word: 0x4000_0003, profileName: 'SCMP_ARCH_X86' },
  { name: 'x32', word: 0xc000_003e, profileName: 'SCMP_ARCH_X32' },
  { name: 'aarch64', word: 0xc000_00b7, profileName: 'SCMP_ARCH_AARCH64' },
  { name: 'arm', word: 0x4000_0028, profileName: 'SCMP_ARCH_ARM' },
]

/** The instruction sets that the kernel of each machine runs, the machine's own first. */
export const families: { readonly [machine: string]: readonly string[] } = {
  x86_64: ['x86_64', 'x86', 'x32'],
  aarch64: ['aarch64', 'arm'],
}

const read = new Map<string, Map<string, number>>()

/** Returns the system calls of an instruction set: numbers by name. */
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
  for (const word of text.replaceAll('\n', ' ').split(' '))
    if (word === '') continue
    else if (word[0]! <= '9') next = Number(word)
    else numbers.set(word, next++)
  return numbers
}

/**
 * Calls that i386 programs can also make through socketcall(2), whose first argument is the position in this list.
 * Their own arguments are in memory, which a filter cannot read.
 */
export const behindSocketcall =
  ' socket bind connect listen accept getsockname getpeername socketpair send recv sendto recvfrom shutdown setsockopt getsockopt sendmsg recvmsg accept4 recvmmsg sendmmsg'.split(
    ' ',
  )
export const behindIpc =
  ' semop semget semctl semtimedop       msgsnd msgrcv msgget msgctl       shmat shmdt shmget shmctl'.split(' ')

let everyName: string | undefined

/** Returns every name of a system call between two spaces, with the numbers that tables have between them. */
function allNames(): string {
  everyName ??= [...Object.values(syscallTables), foreignSyscalls, ...behindSocketcall, ...behindIpc, '']
    .join(' ')
    .replaceAll('\n', ' ')
  return everyName
}

/** Answers about names that the tables of x86 do not have. */
const elsewhere = new Map<string, boolean>()

/** Returns true if any supported instruction set has a system call with this name. */
export function isSyscall(name: string): boolean {
  // most names are in these, and a profile needs them anyway; to read the other tables takes longer than to search them
  if (syscallNumbers('x86_64').has(name) || syscallNumbers('x86').has(name)) return true
  let found = elsewhere.get(name)
  if (found === undefined) {
    found = /^[a-z_]\w*$/.test(name) && allNames().includes(` ${name} `)
    elsewhere.set(name, found)
  }
  return found
}

/** Returns the name of the system call that is most similar to this name. */
export function nearestSyscall(name: string): string | undefined {
  return nearest(name, [...new Set(allNames().split(' '))].filter(isSyscall))
}
