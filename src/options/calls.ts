// SPDX-License-Identifier: Apache-2.0
// Lists the options of each function of the library. Read by unknown-option.ts, which refuses all other options. Pure.
import { ownKeys } from './library.ts'
import { runOptionKeys } from './table.ts'

/**
 * The options of each function of the library. The list is empty for functions without options, which refuse an object
 * that looks like options.
 */
export const optionsOf = {
  run: [...runOptionKeys, ...ownKeys('run')],
  start: [...runOptionKeys, ...ownKeys('start')],
  'pool.run': ['limits', 'timeout', 'cpuTime', 'maxOutput', 'env', 'workdir', 'cwd', ...ownKeys('pool.run')],
  createPool: ['size', 'plan', ...runOptionKeys],
  'Cgroup.create': ['controllers', 'limits', 'files', 'parent', 'mayExist', 'evacuate'],
  'Cgroup.set': ['force', 'evacuate'],
  'Cgroup.events': ['recursive', 'pressure', 'signal'],
  'Cgroup.remove': ['recursive', 'kill'],
  enterScope: ['manager'],
  openStats: [],
  openSampler: [],
  why: [],
} as const satisfies { [call: string]: readonly string[] }

/** A function of the library that accepts an object with options, or refuses one. */
export type LibraryCall = keyof typeof optionsOf
