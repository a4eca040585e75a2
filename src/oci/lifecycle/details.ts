// SPDX-License-Identifier: Apache-2.0
// What the runtime stores of a container beyond its state, and the state that hooks and callers get.

import type { ContainerState } from '../../container/state.ts'
import { type OciConfig, readConfig } from '../config/read-config.ts'
import { readDocumentFile } from '../document-file.ts'
import type { AgentPlace } from './agent.ts'
import type { Hook } from './hooks.ts'
import type { RdtClass } from './intel-rdt.ts'

/** The part of a container's state that only this runtime needs. */
export interface OciDetails {
  ociVersion: string
  /** Absolute path of the bundle. */
  bundle: string
  /** Hooks that run after the creation. */
  hooks?: { startContainer?: Hook[]; poststart?: Hook[]; poststop?: Hook[] }
  /** The agent that answers system calls of the first process. */
  agent?: AgentPlace
  /** The class of Intel RDT. */
  rdt?: RdtClass
  /** True if the first process has a pid namespace that ends with it. */
  ownsPids: boolean
}

export type OciState = ContainerState<OciDetails>

/** Name of the copy of config.json in the container's directory. A bundle may change after the creation. */
const configFile = 'config.json'

export function configPath(directory: string): string {
  return `${directory}/${configFile}`
}

/** Reads the configuration with which a container was created. @throws FILE_REFUSED, OCI_CONFIG_INVALID */
export function readStoredConfig(directory: string): OciConfig {
  return readConfig(readDocumentFile(configPath(directory), 'delete the container by force, and create it again'))
}

/** A status in the state of a container. */
export type StateStatus = 'creating' | 'created' | 'running' | 'stopped'

/** Returns the state that hooks get on stdin: compact JSON. */
export function hookState(state: OciState, status: StateStatus): string {
  return JSON.stringify(describeState(state, status))
}

/** Returns the state of a container as the specification defines it, with the process id of this pid namespace. */
export function describeState({ id, annotations, details, process }: OciState, status: StateStatus): object {
  return {
    ociVersion: details.ociVersion,
    id,
    status,
    ...(status !== 'stopped' && { pid: process?.pid ?? 0 }),
    bundle: details.bundle,
    ...(Object.keys(annotations).length > 0 && { annotations }),
  }
}
