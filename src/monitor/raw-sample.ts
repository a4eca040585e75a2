// SPDX-License-Identifier: Apache-2.0
// Keeps the latest values read from a group's files, and makes a sample from them. Pure.
import { allFigures, figures } from '../cgroup/controllers/figures.ts'
import type { GroupSample } from './sample.ts'

/** Values of figures by name, including hidden figures. */
type Values = { [figure: string]: unknown }

export interface Draft {
  values: Values
  /** Texts of those v1 files whose contents together replace one v2 file. */
  texts: { [file: string]: string | undefined } | undefined
}

/** Every figure with the value undefined. Spreading this object gives all samples the same shape, which V8 accesses fast. */
const nothing: Values = Object.fromEntries(allFigures.map(({ name }) => [name, undefined]))
const unknown: Values = Object.fromEntries(figures.map(({ name }) => [name, undefined]))
const shown = figures.map(({ name }) => name)
const completed = figures.filter(({ complete }) => complete)

export function emptyDraft(): Draft {
  return { values: { ...nothing }, texts: undefined }
}

/** Returns a sample with the current figures of the group. */
export function makeSample({ values }: Draft): GroupSample {
  const sample = { ...unknown }
  for (const name of shown) sample[name] = values[name]
  const of = (name: string) => values[name]
  for (const { name, complete } of completed) sample[name] = complete!(values[name], of)
  return sample as unknown as GroupSample
}
