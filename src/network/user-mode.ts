// SPDX-License-Identifier: Apache-2.0
// Makes the command lines of pasta(1) and slirp4netns(1), which report readiness on stdout and take the namespace on stdin. Pure.
import { type NetworkTool, nameServers, type Publish } from './network.ts'

/** The path of the network namespace's descriptor. A process id could be reused. */
const handed = '/proc/self/fd/0'

/** Settings of the tool. */
interface ToolSetting {
  publish: readonly Publish[]
  /** The user and group, in the owning user namespace, that the tool runs as: 0 if that is mapped. */
  runAs: { uid: number; gid: number }
  /** The socket of slirp4netns, if ports are published. */
  socket?: string
  netns?: string
}

/** Returns the tool's arguments. */
export function toolArguments(tool: NetworkTool, setting: ToolSetting): string[] {
  return tool === 'pasta' ? pastaArguments(setting) : slirpArguments(setting)
}

/** Options that close pasta's access to the host's loopback, which its defaults open through the gateway and through ports. */
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
  // slirp4netns's sandbox needs user 0, which is not mapped if the job has another user
  const sandbox = runAs.uid === 0 && runAs.gid === 0 ? ['--enable-sandbox'] : []
  return [
    ...['--configure', '--mtu=65520', '--disable-host-loopback', ...sandbox, '--enable-seccomp'],
    ...(socket === undefined ? [] : ['--api-socket', socket]),
    ...['--ready-fd=1', '--netns-type=path', netns, 'tap0'],
  ]
}
