// SPDX-License-Identifier: Apache-2.0
// Writes several files of groups, all or none: what was written before a refusal is set back.
import { fail, HutchError } from '../errors/errors.ts'
import { readGroupFile, writeGroupFile, writeGroupFileAsync } from './files.ts'
import type { FileWrite } from './set-file.ts'
import { explainWrite } from './write-errors.ts'

/** Files that make something happen; there is nothing to set back. */
const actions = /^(cgroup\.(procs|threads|kill)|tasks|memory\.(reclaim|force_empty|peak)|cgroup\.event_control)$/

/** A write that was made, and what sets the file back; no texts where nothing can. */
interface Made extends FileWrite {
  before: string | undefined
  texts: string[]
}

/** Collects writes of one request, so that `orNone` can set them back. */
export type Journal = Made[]

/** Writes one file after the other, and notes what was there. @throws CGROUP_WRITE_REFUSED at the first that the kernel refuses */
export async function makeWrites(writes: readonly FileWrite[], journal: Journal = []): Promise<void> {
  for (const write of writes) {
    const { directory, file, value } = write
    const before = actions.test(file) ? undefined : readGroupFile(directory, file)
    const errno = await writeGroupFileAsync(directory, file, value)
    if (errno !== undefined) throw explainWrite({ ...write, errno })
    journal.push({ ...write, before, texts: before === undefined ? [] : textsOf(file, value, before) })
  }
}

/** Runs steps that share a journal; if one throws, what they wrote is set back, the last first. @throws also CGROUP_NOT_RESTORED */
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
        remedy: error.remedy,
      },
      error,
    )
  }
}

/** An action leaves nothing to set back. */
function restore({ directory, file, before, texts }: Made): boolean {
  if (before === undefined) return actions.test(file) || readGroupFile(directory, file) === undefined
  const refused = texts.filter((text) => writeGroupFile(directory, file, text) !== undefined)
  return refused.length === 0
}

/** What has to be written so that a file has the text again that it had. */
function textsOf(file: string, value: string, before: string): string[] {
  if (file === 'cgroup.subtree_control') return flipped(value, before)
  const key = /^(\S+)\s+\S/.exec(value)?.[1]
  const keyed = key !== undefined && (before === '' || before.includes('\n') || before.startsWith(`${key} `))
  if (!keyed || file === 'cpu.max') return [before === '' ? '\n' : before]
  const line = before.split('\n').find((one) => one.startsWith(`${key} `))
  return [line ?? `${key} ${noLimit(value)}`]
}

/** Of a device that had no line: v2 names each figure, v1 has one number. */
function noLimit(value: string): string {
  const names = [...value.matchAll(/(\w+)=/g)].map((match) => `${match[1]}=max`)
  return names.length > 0 ? names.join(' ') : '0'
}

/** Controllers that were not enabled, and now are, the other way round. */
function flipped(value: string, before: string): string[] {
  const enabled = before.split(/\s+/)
  const back = [...value.matchAll(/([+-])(\w+)/g)].flatMap(([, sign, name]) =>
    (sign === '+') === enabled.includes(name!) ? [] : [`${sign === '+' ? '-' : '+'}${name}`],
  )
  return back.length > 0 ? [back.join(' ')] : []
}
