// SPDX-License-Identifier: Apache-2.0
// Holds the latest values of a group's files, and makes a sample from them. Pure.
import { allFigures, figures } from '../cgroup/controllers/figures.ts'
import type { GroupSample } from './sample.ts'

/** Values of figures by name, including hidden figures. */
type Values = { [figure: string]: unknown }

export interface Draft {
  values: Values
  /** Texts of v1 files that together give the text of one v2 file. */
  texts: { [file: string]: string | undefined } | undefined
}

/** Undefined values. Spreading them creates an object with fast property access. */
const nothing: Values = Object.fromEntries(allFigures.map(({ name }) => [name, undefined]))
const unknown: Values = Object.fromEntries(figures.map(({ name }) => [name, undefined]))
const shown = figures.map(({ name }) => name)
const completed = figures.filter(({ complete }) => complete)

export function emptyDraft(): Draft {
  return { values: { ...nothing }, texts: undefined }
}

/** Returns the current figures. */
export function makeSample({ values }: Draft): GroupSample {
  const sample = { ...unknown }
  for (const name of shown) sample[name] = values[name]
  const of = (name: string) => values[name]
  for (const { name, complete } of completed) sample[name] = complete!(values[name], of)
  return sample as unknown as GroupSample
}
