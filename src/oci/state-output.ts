// SPDX-License-Identifier: Apache-2.0
// Prints the state of one container as JSON, with the fields of runc.

import type { ContainerState } from '../container/state.ts'
import { type ContainerStatus, containerStatus } from '../container/status.ts'
import { readContainer } from '../container/store.ts'
import { nameOfUser } from '../host/passwd.ts'
import { print } from '../system/stdout.ts'
import { formatJson } from '../text/quote.ts'
import type { OciCallOf } from './arguments.ts'
import type { OciContext } from './context.ts'

/** The part of a container's details that its state shows. */
interface BundleDetails {
  ociVersion: string
  bundle: string
}

/** A container's state as callers read it. */
export interface StateOutput {
  ociVersion: string
  id: string
  /** Process id of the first process; 0 if the container has stopped. */
  pid: number
  status: ContainerStatus
  bundle: string
  rootfs: string
  created: string
  annotations?: { readonly [key: string]: string }
  /** Name of the creator. */
  owner: string
}

/** Returns what callers get of a state. */
export function toStateOutput(state: ContainerState<BundleDetails>, status: ContainerStatus): StateOutput {
  const { id, created, annotations, rootfs, owner, details } = state
  return {
    ociVersion: details.ociVersion,
    id,
    pid: status === 'stopped' ? 0 : (state.process?.pid ?? 0),
    status,
    bundle: details.bundle,
    rootfs,
    created,
    ...(Object.keys(annotations).length > 0 && { annotations }),
    owner: nameOfUser(owner),
  }
}

export function run({ id }: OciCallOf<'state'>, { root }: OciContext): number {
  const state = readContainer<BundleDetails>(root, id)
  print(`${formatJson(toStateOutput(state, containerStatus(root, state)), 2)}\n`)
  return 0
}
