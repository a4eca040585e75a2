// SPDX-License-Identifier: Apache-2.0
// Finds the host's tools for job networks, its tun device and its name servers. Read only by a run with a network of its own.
import { fileConstants, readFileSync, statSync } from '../system/files.ts'
import { accessSync } from '../system/native.ts'
import { findTool } from './privileges.ts'

/**
 * Finds what a private network needs: the first of these programs that is installed, /dev/net/tun, resolv.conf, and the directory of CNI
 * configurations.
 */
export function readNetworkFacts<T extends string>(names: readonly T[]) {
  const tools = names.map((name) => ({ name, path: findTool(name) }))
  const tool = tools.find(({ path }) => path !== '')
  return {
    ...(tool && { tool }),
    tun: isUsable('/dev/net/tun'),
    tunForAll: isForAll('/dev/net/tun'),
    resolver: readSmall('/etc/resolv.conf'),
    configDirectory: process.env.CNI_CONF_DIR || '/etc/cni/net.d',
  }
}

function isUsable(path: string): boolean {
  try {
    accessSync(path, fileConstants.R_OK | fileConstants.W_OK)
    return true
  } catch {
    return false
  }
}

function isForAll(path: string): boolean {
  return ((statSync(path, { throwIfNoEntry: false })?.mode ?? 0) & 0o6) === 0o6
}

/** Returns the texts of the host's /etc/hosts and /etc/resolv.conf. The text of an unreadable file is empty. */
export function readNameFacts() {
  return { hosts: readSmall('/etc/hosts'), resolver: readSmall('/etc/resolv.conf') }
}

function readSmall(path: string): string {
  try {
    return readFileSync(path, 'latin1').slice(0, 65_536)
  } catch {
    return ''
  }
}
