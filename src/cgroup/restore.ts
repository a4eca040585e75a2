// SPDX-License-Identifier: Apache-2.0
// Writes several files of groups, all or none: after a refusal, restores what was written before. Called by set-file.ts and freeze-kill.ts.
import { fail, HutchError, remedyOf } from '../errors/errors.ts'
import { pause } from '../system/clock.ts'
import { readGroupFile, writeGroupFile, writeGroupFileAsync } from './files.ts'
import type { FileWrite } from './set-file.ts'
import { explainWrite } from './write-errors.ts'

/** Files of which a write triggers an action, which cannot be undone. */
const actions = /^(cgroup\.(procs|threads|kill)|tasks|memory\.(reclaim|force_empty|peak)|cgroup\.event_control)$/

/** A write that succeeded, and the texts that restore the file. The list is empty if the write cannot be undone. */
interface Made extends FileWrite {
  before: string | undefined
  texts: string[]
}

/** The writes of one request that have succeeded. `orNone` undoes them after an error. */
export type Journal = Made[]

/**
 * Waits at most 3 s until a check succeeds, in short steps first. Polls, because not every layout has a file that reports the end of
 * freezing or killing. After the short steps, calls `repeat` before each check.
 */
export async function waitFor(done: () => boolean, repeat?: () => void): Promise<boolean> {
  for (let tries = 0; tries < 140; tries++) {
    if (done()) return true
    if (tries >= 20) repeat?.()
    await pause(tries < 20 ? 1 : 25)
  }
  return done()
}

/**
 * Writes files one after the other, and records their previous texts. If a write has `isDone`, waits until the kernel has done what the write
 * requests. Repeats the write meanwhile, because v1's freezer misses a task that is just entering or leaving the freezer of v2.
 * @throws CGROUP_WRITE_REFUSED at the first write that the kernel refuses
 */
export async function makeWrites(writes: readonly FileWrite[], journal: Journal = []): Promise<void> {
  for (const write of writes) {
    const { directory, file, value, isDone } = write
    const before = actions.test(file) ? undefined : readGroupFile(directory, file)
    const errno = await writeGroupFileAsync(directory, file, value)
    if (errno !== undefined) throw explainWrite({ ...write, errno })
    journal.push({ ...write, before, texts: before === undefined ? [] : textsOf(file, value, before) })
    if (isDone) await waitFor(isDone, () => writeGroupFile(directory, file, value))
  }
}

/**
 * Runs steps that record their writes in the journal. If one throws, restores the written files in reverse order. @throws also
 * CGROUP_NOT_RESTORED
 */
export async function orNone(steps: (journal: Journal) => Promise<void>): Promise<void> {
  const journal: Journal = []
  try {
    await steps(journal)
  } catch (error) {
    const left = journal.reverse().filter((made) => !restore(made))
    if (left.length === 0 || !HutchError.is(error)) throw error
    throw fail(
      'CGROUP_NOT_RESTORED',
      {
        why: error.summary,
        left: left.map(({ directory, file, value, before }) => ({ directory, file, value, before })),
        remedy: remedyOf(error),
      },
      error,
    )
  }
}

/** Restores one file. Returns false if that failed. Ignores a write that only triggered an action. */
function restore({ directory, file, before, texts }: Made): boolean {
  if (before === undefined) return actions.test(file) || readGroupFile(directory, file) === undefined
  const refused = texts.filter((text) => writeGroupFile(directory, file, text) !== undefined)
  return refused.length === 0
}

/** Returns the texts to write so that a file has its previous text again. */
function textsOf(file: string, value: string, before: string): string[] {
  if (file === 'cgroup.subtree_control') return flipped(value, before)
  if (file === 'memory.oom_control') return [/^oom_kill_disable (\d)/m.exec(before)?.[1] ?? '0']
  const key = /^(\S+)\s+\S/.exec(value)?.[1]
  const keyed = key !== undefined && (before === '' || before.includes('\n') || before.startsWith(`${key} `))
  if (!keyed || file === 'cpu.max') return [before === '' ? '\n' : before]
  const line = before.split('\n').find((one) => one.startsWith(`${key} `))
  return [line ?? `${key} ${noLimit(value)}`]
}

/** Returns the text that removes the limits of a device. v2 has a key for each limit, a v1 file has one number. */
function noLimit(value: string): string {
  const names = [...value.matchAll(/(\w+)=/g)].map((match) => `${match[1]}=max`)
  return names.length > 0 ? names.join(' ') : '0'
}

/**
 * Returns the toggles that undo a write to cgroup.subtree_control. Controllers that the write enabled are disabled, and those that it
 * disabled are enabled.
 */
function flipped(value: string, before: string): string[] {
  const enabled = before.split(/\s+/)
  const back = [...value.matchAll(/([+-])(\w+)/g)].flatMap(([, sign, name]) =>
    (sign === '+') === enabled.includes(name!) ? [] : [`${sign === '+' ? '-' : '+'}${name}`],
  )
  return back.length > 0 ? [back.join(' ')] : []
}
