// SPDX-License-Identifier: Apache-2.0
// Joins the tables of other tools' options, for errors and for docs/options-of-others.md. Pure.
import { rows as bubblewrap } from './bubblewrap.ts'
import { rows as docker } from './docker.ts'
import { rows as firejail } from './firejail.ts'
import { rows as isolate } from './isolate.ts'
import { rows as nsenter } from './nsenter.ts'
import { rows as nsjail } from './nsjail.ts'
import type { OtherRow } from './row.ts'
import { rows as systemdRun } from './systemd-run.ts'
import { rows as unshare } from './unshare.ts'

/** The tools in the order of the docs. If several tools have an option of the same name, the first of them is used. */
export const otherTools: { readonly [tool: string]: readonly OtherRow[] } = {
  'docker run': docker,
  'systemd-run': systemdRun,
  bubblewrap,
  unshare,
  nsenter,
  nsjail,
  firejail,
  isolate,
}

/** Returns the first tool that has an option with this name, and the option's row. */
export function findOther(name: string): { tool: string; row: OtherRow } | undefined {
  const named = new RegExp(`(^|[\`\\s])${name.replace(/[.*+?^$()[\]{}|\\]/g, '\\$&')}(?![\\w-])`)
  for (const [tool, rows] of Object.entries(otherTools)) {
    const row = rows.find(([options]) => named.test(options))
    if (row) return { tool, row }
  }
  return undefined
}
