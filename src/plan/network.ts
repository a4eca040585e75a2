// SPDX-License-Identifier: Apache-2.0
// Plans the network of a run: namespaces, the connection and the text of resolv.conf. Called by plan.ts; pure.

import { capabilityNumbers, hasCapability } from '../credentials/capability.ts'
import { fail } from '../errors/errors.ts'
import type { Root } from '../mounts/root.ts'
import { type Extent, idOutside, isMapped } from '../namespaces/id-map.ts'
import type { NamespaceKind } from '../namespaces/namespace.ts'
import { hasOwnServer, type NetworkTool, nameServers, type PlannedNetwork, resolverText } from '../network/network.ts'
import { toolArguments } from '../network/user-mode.ts'
import { optionName } from '../options/names.ts'
import type { Spec } from '../options/spec.ts'
import type { UserNamespace } from './credentials.ts'

/** Facts about the machine that only a run with a network needs. */
export interface NetworkFacts {
  /** The first of the requested tools that is installed; undefined if none is installed. */
  tool?: { name: NetworkTool; path: string }
  /** True if this user can open /dev/net/tun. */
  tun: boolean
  /** True if users other than the owner can also open /dev/net/tun. */
  tunForAll: boolean
  /** Text of the host's resolv.conf. `configDirectory` is the directory of the host's CNI networks. */
  resolver: string
  configDirectory: string
}

/** Plans how the network of a run is connected. @throws NETWORK_TOOL_MISSING, NETWORK_REFUSED, OPTION_CONFLICT */
export function planNetwork(spec: Spec, facts: NetworkFacts, permitted: string, id: string): PlannedNetwork {
  const network = spec.network!
  const { publish } = network
  if (network.kind === 'cni') {
    const { NET_ADMIN, SYS_ADMIN } = capabilityNumbers
    if (!hasCapability(permitted, NET_ADMIN) || !hasCapability(permitted, SYS_ADMIN))
      throw conflict(
        optionName('network', spec.frontend),
        "CNI plugins change the host's network, which needs CAP_NET_ADMIN and CAP_SYS_ADMIN",
        'run as root, or use private, which needs no rights',
      )
    return {
      kind: 'cni',
      publish,
      name: network.name,
      id,
      configDirectory: network.configDirectory ?? facts.configDirectory,
    }
  }
  if (!facts.tool)
    throw fail('NETWORK_TOOL_MISSING', {
      what: network.tool ? `${network.tool} is not` : 'neither pasta nor slirp4netns is',
      package: network.tool === 'slirp4netns' ? 'slirp4netns' : 'passt',
    })
  if (!facts.tun) throw withoutTun('/dev/net/tun does not exist, or this user cannot open it')
  const foreign = facts.tool.name === 'slirp4netns' && publish.find(({ address }) => address.includes(':'))
  if (foreign)
    throw conflict(
      optionName('publish', spec.frontend),
      `slirp4netns cannot listen at ${foreign.address}`,
      'use pasta: private:pasta (apt-get install passt)',
    )
  return { kind: 'private', publish, tool: facts.tool.name, path: facts.tool.path }
}

function withoutTun(why: string) {
  return fail('NETWORK_REFUSED', {
    what: 'connect a private network',
    by: 'the host',
    evidence: [why],
    remedy: 'as root: modprobe tun; chmod 666 /dev/net/tun',
  })
}

/**
 * Refuses a network tool that cannot open /dev/net/tun, because in the job's user namespace it runs with other ids.
 *
 * @throws NETWORK_REFUSED
 */
export function refuseForeignTun(maps: UserNamespace | undefined, facts: NetworkFacts, caller: number): void {
  if (!maps || facts.tunForAll) return
  const outside = idOutside(maps.users, runsAs(maps).uid)
  if (outside === caller) return
  // the host ids of a sandbox started by root are chosen only at the start
  const user = outside === undefined ? "one of the sandbox's own ids" : `user ${outside}`
  throw withoutTun(`the tool is ${user} in the job's user namespace, which cannot open /dev/net/tun`)
}

/** Returns the shell command that connects the process $PID in the same way, for --explain. */
export function networkLine(network: PlannedNetwork, runAs: { uid: number; gid: number }): string {
  if (network.kind === 'cni')
    return `CNI_PATH=/usr/lib/cni NETCONFPATH=${network.configDirectory} cnitool add ${network.name} /proc/$PID/ns/net`
  const words = toolArguments(network.tool, { publish: network.publish, runAs, netns: '/proc/$PID/ns/net' })
  return [network.path, ...words].join(' ')
}

/** Returns the ids that the network tool runs as, in the user namespace that owns the job's network. 0 if that id is mapped. */
export function runsAs(maps: UserNamespace | undefined): { uid: number; gid: number } {
  const who = (extents: readonly Extent[]) => (isMapped(extents, 0) ? 0 : extents[0]!.inside)
  return maps ? { uid: who(maps.users), gid: who(maps.groups) } : { uid: 0, gid: 0 }
}

const target = '/etc/resolv.conf'

/**
 * Returns the root with a resolv.conf whose name servers the job can reach. If the job uses the host's root but cannot
 * reach the host's name servers, returns a new root that replaces only this file.
 */
export function resolvedRoot(spec: Spec, facts: NetworkFacts, network: PlannedNetwork): Root | undefined {
  const { root } = spec
  if (root?.mounts.some((mount) => mount.target === target)) return root
  const mounts = spec.isolate.includes('mount' satisfies NamespaceKind)
  if (!mounts || (!root && !hasOwnServer(facts.resolver))) return root
  const server = network.kind === 'private' ? nameServers[network.tool] : undefined
  const text = resolverText(facts.resolver, server)
  return {
    ...(root ?? { readOnly: false, dev: false, mounts: [], devices: [] }),
    texts: [...(root?.texts ?? []), { target, text, origin: 'network' }],
  }
}

function conflict(name: string, why: string, remedy: string) {
  return fail('OPTION_CONFLICT', { name, why, remedy })
}
