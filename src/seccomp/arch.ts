// SPDX-License-Identifier: Apache-2.0
// Machines and the other instruction sets that their kernels run: the word by which a filter knows them, and their system calls.
import { nearest } from '../text/nearest.ts'
import { foreignSyscalls, syscallTables } from './syscall-table.generated.ts'

/** One instruction set as the kernel's audit words tell it; x32 shares that of x86_64, and has a bit in its numbers. */
export interface Machine {
  name: keyof typeof syscallTables
  /** AUDIT_ARCH_* of linux/audit.h. */
  word: number
  /** As profiles name it. */
  profileName: string
}

/** Set in every number of x32. */
export const x32Bit = 0x4000_0000

export const machines: readonly Machine[] = [
  { name: 'x86_64', word: 0xc000_003e, profileName: 'SCMP_ARCH_X86_64' },
  { name: 'x86', word: 0x4000_0003, profileName: 'SCMP_ARCH_X86' },
  { name: 'x32', word: 0xc000_003e, profileName: 'SCMP_ARCH_X32' },
  { name: 'aarch64', word: 0xc000_00b7, profileName: 'SCMP_ARCH_AARCH64' },
  { name: 'arm', word: 0x4000_0028, profileName: 'SCMP_ARCH_ARM' },
]

/** Instruction sets that one kernel runs, its own first. */
export const families: { readonly [machine: string]: readonly string[] } = {
  x86_64: ['x86_64', 'x86', 'x32'],
  aarch64: ['aarch64', 'arm'],
}

const read = new Map<string, Map<string, number>>()

/** Name → number. */
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

/** i386 has these behind one number each, told apart by the first argument; their own arguments cannot be seen from a filter. */
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

/** Whether any machine has a call of this name. */
export function isSyscall(name: string): boolean {
  return name !== '' && allNames().has(name)
}

/** The call that somebody who wrote this may have meant. */
export function nearestSyscall(name: string): string | undefined {
  return nearest(name, [...allNames()])
}
