// SPDX-License-Identifier: Apache-2.0
// The state of a container as text: what state.json contains. Pure.

import { fail } from '../errors/errors.ts'
import type { GroupPlace } from '../options/spec.ts'
import { parseJson } from '../text/json.ts'
import type { ContainerProcess } from './process.ts'

/**
 * What is stored of a container. `Details` are the values of the front end that created it. Whether the container runs is not stored:
 * `containerStatus` derives it.
 */
export interface ContainerState<Details = unknown> {
  /** Version of this format. Another version is refused. */
  version: typeof stateVersion
  id: string
  /** Time of creation: RFC 3339 in UTC. */
  created: string
  /** User id of the creator. */
  owner: number
  annotations: { readonly [key: string]: string }
  /** Absolute path of the root directory, as the creator saw it. */
  rootfs: string
  /** What created the control groups. */
  driver: 'cgroupfs' | 'systemd'
  /** The container's own groups. */
  groups: readonly GroupPlace[]
  /** Name of the systemd unit that contains the groups. */
  unit?: string
  /** The first process; absent until it exists. */
  process?: ContainerProcess
  details: Details
}

export const stateVersion = 1

/** Returns the text of a state. */
export function formatState(state: ContainerState): string {
  return `${JSON.stringify(state)}\n`
}

/** Checks the outer form of a state: a program of the same version wrote its fields. @throws CONTAINER_STATE_INVALID */
export function parseState<Details>(text: string, path: string): ContainerState<Details> {
  let value: unknown
  try {
    value = parseJson(text)
  } catch (error) {
    throw fail('CONTAINER_STATE_INVALID', { path, why: (error as Error).message }, error)
  }
  const { version, id } = (typeof value === 'object' && value !== null ? value : {}) as Partial<ContainerState>
  if (version !== stateVersion || typeof id !== 'string')
    throw fail('CONTAINER_STATE_INVALID', {
      path,
      why: version === undefined ? 'not the state of a container' : `another version of hutch wrote it`,
    })
  return value as ContainerState<Details>
}

/**
 * Returns true if a text can be the id of a container. It is then the name of a directory. Names that begin with a dot
 * are left to other things in the root.
 */
export function isContainerId(id: string): boolean {
  return /^[\w+-][\w+.-]*$/.test(id) && id.length <= maxIdLength
}

/** Maximum length of an id: that of a file name. */
export const maxIdLength = 255
