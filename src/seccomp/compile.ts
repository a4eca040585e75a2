// SPDX-License-Identifier: Apache-2.0
// Compiles a seccomp profile to a filter. Finds the action for each call number, then makes a binary search over ranges
// of numbers with equal actions. Pure.
import { fail } from '../errors/errors.ts'
import { behindIpc, behindSocketcall, families, type Machine, machines, syscallNumbers, x32Bit } from './arch.ts'
import { Assembler, type JumpTarget } from './assemble.ts'
import {
  type ArgumentCondition,
  actions,
  errnos,
  type Profile,
  type ProfileFacts,
  refuseWith,
  type SeccompFilter,
  type SeccompRule,
  selectRules,
} from './profile.ts'

/** The maximum number of instructions that the kernel accepts (BPF_MAXINSNS). */
const maxInstructions = 4096

/**
 * The possible actions for a system call, in the order in which they are tried. An entry applies if all its conditions
 * hold. The last entry has no conditions.
 */
type Answers = readonly { conditions: readonly ArgumentCondition[]; action: number }[]

/** A range of system call numbers with the same actions. It ends where the next range starts. */
interface Range {
  start: number
  answers: Answers
}

/** The action for system calls of instruction sets that the profile does not name. */
const foreignAction = actions.killProcess

/** Compiles a profile. @throws SECCOMP_TOO_LARGE */
export function compileFilter(profile: Profile, facts: ProfileFacts, origin: string): SeccompFilter {
  const family = families[facts.machine]!
  const wanted = new Set([...profile.architectures, ...(profile.architecturesOf?.[facts.machine] ?? [])])
  const included = machines.filter(
    (machine) => family.includes(machine.name) && (machine.name === facts.machine || wanted.has(machine.name)),
  )
  const rules = selectRules(profile, facts)
  const assembler = new Assembler()
  const blocks = new Map<string, JumpTarget>()
  const words = new Map<number, Range[]>()
  for (const machine of included)
    words.set(machine.word, [...(words.get(machine.word) ?? []), ...rangesOf(machine, rules, profile.defaultAction)])
  let next: JumpTarget = { returns: foreignAction }
  for (const [word, ranges] of [...words].reverse()) {
    dispatch(assembler, joined(ranges), blocks)
    next = assembler.compare('equal', word, assembler.loadNumber(), next)
  }
  assembler.begin(next)
  assembler.loadMachine()
  if (assembler.length > maxInstructions)
    throw fail('SECCOMP_TOO_LARGE', { origin, instructions: assembler.length, max: maxInstructions })
  return { words: assembler.words(), flags: profile.flags, ...(profile.listens && { listens: true }) }
}

/** Returns the precedence of an action: a smaller number is stricter. The kernel also compares actions as signed numbers. */
export function severity(action: number): number {
  return (action & 0xffff_0000) | 0
}

function rangesOf(machine: Machine, rules: readonly SeccompRule[], defaultAction: number): Range[] {
  const numbers = syscallNumbers(machine.name)
  const byNumber = new Map<number, { conditions: readonly ArgumentCondition[]; action: number }[]>()
  const add = (number: number | undefined, conditions: readonly ArgumentCondition[], action: number) => {
    if (number === undefined) return
    const answers = byNumber.get(number)
    if (answers) answers.push({ conditions, action })
    else byNumber.set(number, [{ conditions, action }])
  }
  for (const { names, conditions, action } of rules)
    for (const name of names) {
      add(numbers.get(name), conditions, action)
      // i386: a filter cannot see the arguments of calls made through socketcall or ipc. A refusal then applies to any
      // arguments; a permission with conditions does not apply.
      if (machine.name === 'x86' && (conditions.length === 0 || severity(action) < severity(defaultAction)))
        for (const [outer, condition] of outerCalls(name)) add(numbers.get(outer), [condition], action)
    }
  const fallback: Answers = [{ conditions: [], action: defaultAction }]
  const ranges: Range[] = []
  const base = machine.name === 'x32' ? x32Bit : 0
  let next = base
  for (const [number, answers] of [...byNumber].sort((a, b) => a[0] - b[0])) {
    if (number > next) ranges.push({ start: next, answers: fallback })
    ranges.push({ start: number, answers: inOrder(answers, defaultAction) })
    next = number + 1
  }
  ranges.push({ start: next, answers: fallback })
  const newest = Math.max(...(byNumber.size > 0 ? byNumber.keys() : numbers.values()))
  return [...withNewer(ranges, newest + 1, defaultAction), ...outside(machine, fallback)]
}

/**
 * Returns the i386 calls through which a call can also be made. These are socketcall(2) and ipc(2), whose first
 * argument selects the call.
 */
function outerCalls(name: string): [string, ArgumentCondition][] {
  const socket = behindSocketcall.indexOf(name)
  const ipc = behindIpc.indexOf(name)
  if (socket <= 0 && ipc <= 0) return []
  return [
    ...(socket > 0
      ? [['socketcall', { index: 0, op: 'EQ', value: BigInt(socket) }] as [string, ArgumentCondition]]
      : []),
    ...(ipc > 0
      ? [['ipc', { index: 0, op: 'MASKED_EQ', mask: 0xffffn, value: BigInt(ipc) }] as [string, ArgumentCondition]]
      : []),
  ]
}

/**
 * Sorts the actions for a call, strictest first. The kernel combines several filters in the same way, so the order of
 * rules in a profile does not matter.
 */
function inOrder(answers: Answers, defaultAction: number): Answers {
  if (answers.length === 1 && answers[0]!.conditions.length === 0) return answers
  const sorted = [...answers].sort((a, b) => severity(a.action) - severity(b.action))
  const last = sorted.findIndex(({ conditions }) => conditions.length === 0)
  return last < 0 ? [...sorted, { conditions: [], action: defaultAction }] : sorted.slice(0, last + 1)
}

/** Default actions that allow a system call, or leave the decision to a tracer. */
const permissive = [actions.trace, actions.log, actions.allow].map(severity)

/**
 * Makes calls that are newer than the profile return ENOSYS: all numbers from `first` on. Programs then try an older
 * call; runc does the same. A default action that allows calls stays.
 */
function withNewer(ranges: Range[], first: number, defaultAction: number): Range[] {
  if (permissive.includes(severity(defaultAction))) return ranges
  return [...ranges.filter(({ start }) => start < first), { start: first, answers: answer(refuseWith(errnos.ENOSYS)) }]
}

/**
 * Returns the ranges for numbers that are in no table of calls. These are x86_64 numbers with the x32 bit, and -1,
 * which means that a tracer cancelled the call.
 */
function outside({ name }: Machine, fallback: Answers): Range[] {
  if (name !== 'x86_64') return []
  return [
    { start: x32Bit, answers: answer(foreignAction) },
    { start: 0xffff_ffff, answers: fallback },
  ]
}

function answer(action: number): Answers {
  return [{ conditions: [], action }]
}

/** Sorts ranges by start. If several have the same start, keeps the last. If neighbours have the same actions, merges them. */
function joined(ranges: Range[]): Range[] {
  const last = new Map(ranges.map((range) => [range.start, range]))
  return [...last.values()]
    .sort((a, b) => a.start - b.start)
    .filter((range, i, all) => i === 0 || keyOf(range.answers) !== keyOf(all[i - 1]!.answers))
}

/** Returns a text that is equal for equal actions. Most calls have one action and no condition. */
function keyOf(answers: Answers): string {
  if (answers.length === 1) return `:${answers[0]!.action}`
  return answers
    .map(
      ({ conditions, action }) =>
        `${conditions.map(({ index, op, value, mask }) => `${index} ${op} ${value} ${mask ?? ''}`).join(',')}:${action}`,
    )
    .join(';')
}

/**
 * Emits the binary search for a call number, which stays loaded meanwhile. Code is emitted backwards, so the block
 * emitted last runs first.
 */
function dispatch(assembler: Assembler, ranges: Range[], blocks: Map<string, JumpTarget>): JumpTarget {
  if (ranges.length === 1) return assembler.begin(block(assembler, ranges[0]!.answers, blocks))
  return search(assembler, ranges, blocks)
}

function search(assembler: Assembler, ranges: Range[], blocks: Map<string, JumpTarget>): JumpTarget {
  if (ranges.length === 1) return block(assembler, ranges[0]!.answers, blocks)
  const middle = ranges.length >> 1
  const right = search(assembler, ranges.slice(middle), blocks)
  const left = search(assembler, ranges.slice(0, middle), blocks)
  return assembler.compare('atLeast', ranges[middle]!.start, right, left)
}

/** Emits the code that tries these actions. Ranges with equal actions share one block of code. */
function block(assembler: Assembler, answers: Answers, blocks: Map<string, JumpTarget>): JumpTarget {
  const key = keyOf(answers)
  let target = blocks.get(key)
  if (target) return target
  target = { returns: answers.at(-1)!.action }
  for (const { conditions, action } of answers.slice(0, -1).reverse()) {
    const no = target
    let yes: JumpTarget = { returns: action }
    for (const condition of [...conditions].reverse()) yes = assembler.condition(condition, yes, no)
    target = yes
  }
  blocks.set(key, target)
  return target
}
