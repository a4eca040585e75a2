// SPDX-License-Identifier: Apache-2.0
// Which files are read, and what each does to a draft: pure. Both follow from the table of figures.
import { describeFile } from '../cgroup/controllers/catalog.ts'
import type { FigureSource } from '../cgroup/controllers/figure.ts'
import { allFigures, legacySource, type NamedFigure, unifiedController } from '../cgroup/controllers/figures.ts'
import { readValue } from '../cgroup/figure-value.ts'
import { readLegacy } from '../cgroup/v1/read.ts'
import { controllerOf } from '../cgroup/v1/translate.ts'
import type { Draft } from './raw-sample.ts'

/** Takes in one file's text, or that it is gone. */
export type Take = (draft: Draft, text: string | undefined) => void

/** File → take, by controller; '' is what every group of the v2 tree has. */
export type Takes = { [controller: string]: { [file: string]: Take } }

/**
 * Cheap files, one of which changes whenever something happens in a group: while none does, the others are read seldom.
 * `io.stat` is blkio.throttle.io_service_bytes_recursive on v1.
 */
export const signsOfLife: ReadonlySet<string> = new Set([
  'cgroup.events',
  'cpu.stat',
  'memory.current',
  'pids.current',
  'io.stat',
  'memory.usage_in_bytes',
  'cpuacct.usage',
  'blkio.throttle.io_service_bytes_recursive',
  'freezer.state',
])

/** What each file does: one step after the other for the figures that stand in it. */
export function joinTakes(steps: readonly [controller: string, file: string, take: Take][]): Takes {
  const takes: Takes = {}
  for (const [controller, file, take] of steps) {
    takes[controller] ??= {}
    const files = takes[controller]
    const before = files[file]
    files[file] = before
      ? (draft, text) => {
          before(draft, text)
          take(draft, text)
        }
      : take
  }
  return takes
}

/** Sets a figure from the text of its one file. */
function direct({ name, kind }: NamedFigure, source: FigureSource): Take {
  const quota = describeFile(source.file)?.format === 'quota'
  return (draft, text) => {
    draft.values[name] = readValue(kind, source, quota, text)
  }
}

/** Keeps the text of one of several files, and sets a figure from what v2 would say. */
function translated({ name, kind, v2 }: NamedFigure, file: string): Take {
  const quota = describeFile(v2!.file)?.format === 'quota'
  return (draft, text) => {
    draft.texts ??= {}
    draft.texts[file] = text
    const { texts } = draft
    draft.values[name] = readValue(
      kind,
      v2!,
      quota,
      readLegacy(v2!.file, (_, other) => texts[other]),
    )
  }
}

/** The v2 tree's files by controller. */
export const unifiedFiles: Takes = joinTakes(
  allFigures.flatMap((row) => (row.v2 ? [[unifiedController(row), row.v2.file, direct(row, row.v2)] as const] : [])),
)

/** v1's, by controller. */
export const legacyFiles: Takes = joinTakes(
  allFigures.flatMap((row) => {
    const source = legacySource(row)
    if (source === undefined) return []
    if ('file' in source) return [[controllerOf(source.file), source.file, direct(row, source)] as const]
    return source.files.map((file) => [controllerOf(file), file, translated(row, file)] as const)
  }),
)
