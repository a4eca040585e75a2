// SPDX-License-Identifier: Apache-2.0
// Lists the files to read in each group, and how the content of each updates a raw sample. Pure; derived from the table
// of figures.
import { describeFile } from '../cgroup/controllers/catalog.ts'
import type { FigureSource } from '../cgroup/controllers/figure.ts'
import { allFigures, legacySource, type NamedFigure, unifiedController } from '../cgroup/controllers/figures.ts'
import { readValue } from '../cgroup/figure-value.ts'
import { readLegacy } from '../cgroup/v1/read.ts'
import { controllerOf } from '../cgroup/v1/translate.ts'
import type { Draft } from './raw-sample.ts'

/** Updates a raw sample with the text of a file, or with undefined if the file is missing. */
export type Take = (draft: Draft, text: string | undefined) => void

/** How to update a raw sample, by controller and file. The key '' has the files that every group of the v2 tree has. */
export type Takes = { [controller: string]: { [file: string]: Take } }

/**
 * Files that are cheap to read, and of which at least one changes with any activity in a group. While they do not
 * change, the group's other files are read rarely. On v1, blkio.throttle.io_service_bytes_recursive corresponds to
 * io.stat.
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

/** Combines the updates for a file into one function, because a file can contain several figures. */
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

/** Returns the update for a figure that comes from a single file. */
function direct({ name, kind }: NamedFigure, source: FigureSource): Take {
  const quota = describeFile(source.file)?.format === 'quota'
  return (draft, text) => {
    draft.values[name] = readValue(kind, source, quota, text)
  }
}

/**
 * Returns the update for a figure that comes from several v1 files. It stores the file's text, then converts all the
 * texts to v2's form and sets the figure.
 */
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

/** Files of the v2 tree by controller, each with its update. */
export const unifiedFiles: Takes = joinTakes(
  allFigures.flatMap((row) => (row.v2 ? [[unifiedController(row), row.v2.file, direct(row, row.v2)] as const] : [])),
)

/** Files of v1 by controller, each with its update. */
export const legacyFiles: Takes = joinTakes(
  allFigures.flatMap((row) => {
    const source = legacySource(row)
    if (source === undefined) return []
    if ('file' in source) return [[controllerOf(source.file), source.file, direct(row, source)] as const]
    return source.files.map((file) => [controllerOf(file), file, translated(row, file)] as const)
  }),
)
