// SPDX-License-Identifier: Apache-2.0
// Makes the command lines of pasta(1) and slirp4netns(1). These tools report on stdout that they are ready, and get the
// network namespace as stdin. Pure.
import { type NetworkTool, nameServers, type Publish } from './network.ts'

/**
 * The path of the network namespace, passed to the tool as descriptor 0. A path with a process id could name another
 * process later.
 */
const handed = '/proc/self/fd/0'

/** What the tool's command line depends on. */
interface ToolSetting {
  publish: readonly Publish[]
  /** The user and group that the tool runs as, in the user namespace that owns the network namespace. 0 if that id is mapped. */
  runAs: { uid: number; gid: number }
  /** The control socket of slirp4netns, if ports are published. */
  socket?: string
  netns?: string
}

/** Returns the arguments of the tool's command line. */
export function toolArguments(tool: NetworkTool, setting: ToolSetting): string[] {
  return tool === 'pasta' ? pastaArguments(setting) : slirpArguments(setting)
}

/**
 * Returns pasta's arguments. They close the ways to the host's loopback that pasta opens by default: through the
 * gateway's address, and through forwarded ports.
 */
function pastaArguments({ publish, runAs, netns = handed }: ToolSetting): string[] {
  const ports = (protocol: Publish['protocol'], flag: string) => {
    const own = publish.filter((one) => one.protocol === protocol)
    return own.length === 0 ? [flag, 'none'] : own.flatMap((one) => [flag, portSpec(one)])
  }
  return [
    ...['--foreground', '--quiet', '--config-net', '--netns-only', '--no-map-gw'],
    ...['--runas', `${runAs.uid}:${runAs.gid}`, '--dns-forward', nameServers.pasta],
    ...ports('tcp', '-t'),
    ...ports('udp', '-u'),
    ...['-T', 'none', '-U', 'none', '--pid', '/dev/stdout', '--netns', netns],
  ]
}

function portSpec({ address, hostPort, port }: Publish): string {
  return `${address === '' ? '' : `${address}/`}${hostPort}:${port}`
}

function slirpArguments({ runAs, socket, netns = handed }: ToolSetting): string[] {
  // slirp4netns can sandbox itself only as user 0, and that id is not mapped if the job runs as another user
  const sandbox = runAs.uid === 0 && runAs.gid === 0 ? ['--enable-sandbox'] : []
  return [
    ...['--configure', '--mtu=65520', '--disable-host-loopback', ...sandbox, '--enable-seccomp'],
    ...(socket === undefined ? [] : ['--api-socket', socket]),
    ...['--ready-fd=1', '--netns-type=path', netns, 'tap0'],
  ]
}
