// SPDX-License-Identifier: Apache-2.0
// What the files of a group said last, and the sample that is made from it: pure.
import { allFigures, figures } from '../cgroup/controllers/figures.ts'
import type { GroupSample } from './sample.ts'

/** The value of a figure, hidden ones too, by name. */
type Values = { [figure: string]: unknown }

export interface Draft {
  values: Values
  /** v1's files that together say what one file of v2 says, as they are. */
  texts: { [file: string]: string | undefined } | undefined
}

/** Spreading it gives an object that property access is fast on, however it was made itself. */
const nothing: Values = Object.fromEntries(allFigures.map(({ name }) => [name, undefined]))
const unknown: Values = Object.fromEntries(figures.map(({ name }) => [name, undefined]))
const shown = figures.map(({ name }) => name)
const completed = figures.filter(({ complete }) => complete)

export function emptyDraft(): Draft {
  return { values: { ...nothing }, texts: undefined }
}

/** The figures as they stand now. */
export function makeSample({ values }: Draft): GroupSample {
  const sample = { ...unknown }
  for (const name of shown) sample[name] = values[name]
  const of = (name: string) => values[name]
  for (const { name, complete } of completed) sample[name] = complete!(values[name], of)
  return sample as unknown as GroupSample
}
