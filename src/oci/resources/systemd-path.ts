// SPDX-License-Identifier: Apache-2.0
// Converts `linux.cgroupsPath` of the systemd driver, SLICE:PREFIX:NAME, to the names of a unit and of its slice: systemd.slice(5). Pure.
import { invalidPath } from './resource-values.ts'

/** A unit of systemd that a container's processes are in. */
export interface UnitPlace {
  /** Name of the unit: a scope, or a slice if NAME is one. */
  unit: string
  slice: string
  /** Path of the unit's group below the group of the systemd that is asked. */
  path: string
}

/** Parses SLICE:PREFIX:NAME. Without a path, the unit is `hutch-ID.scope` in the default slice. @throws OPTION_INVALID */
export function parseUnitPath(path: string | undefined, id: string, kind: 'system' | 'user'): UnitPlace {
  const parts = (path || `:hutch:${id}`).split(':')
  const refuse = (why?: string) => invalidPath(path ?? '', 'SLICE:PREFIX:NAME, such as system.slice:oci:web', why)
  const [slice = '', prefix = '', name = ''] = parts
  if (parts.length !== 3) throw refuse('expected cgroupsPath to be of format "slice:prefix:name" for systemd cgroups')
  const isSlice = name.endsWith('.slice')
  const unit = isSlice ? name : `${prefix === '' ? '' : `${prefix}-`}${name}.scope`
  if (name === '' || !/^[\w:.\\@-]{1,255}$/.test(unit)) throw refuse('not the name of a unit')
  const inside = slice || `${kind}.slice`
  const above = expandSlice(isSlice ? name : inside)
  if (above === undefined) throw refuse('not the name of a slice')
  return { unit, slice: inside, path: isSlice ? above : `${above}/${unit}` }
}

/** Returns the path of a slice: `a-b.slice` is `/a.slice/a-b.slice`. Returns undefined if the name is invalid. */
function expandSlice(slice: string): string | undefined {
  if (slice === '-.slice') return ''
  const [, name] = /^([\w:.\\@-]{1,249})\.slice$/.exec(slice) ?? []
  const parts = name?.split('-') ?? ['']
  if (parts.includes('')) return undefined
  return parts.map((_, i) => `/${parts.slice(0, i + 1).join('-')}.slice`).join('')
}
