// SPDX-License-Identifier: Apache-2.0
// containerd in a session, with the CRI plugin on its socket.
import { pauseImage, writeImages } from './images.ts'
import type { Runtime } from './runtimes.ts'
import { bySystemd, type Caller, openSession, prepared, type Session } from './session.ts'

/** Sections of the configuration for a session's runtime. */
export type Sections = (session: Session) => string | Promise<string>

/** The runtime as the only one, and the default. */
const only: Sections = ({ program }) => `version = 2
[plugins."io.containerd.grpc.v1.cri".containerd]
default_runtime_name = "tested"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.tested]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.tested.options]
BinaryName = "${program}"
SystemdCgroup = ${bySystemd}
`

/** Without CAP_SYS_RESOURCE no score below this process's own can be set. */
const common = `
[plugins."io.containerd.grpc.v1.cri"]
restrict_oom_score_adj = true
sandbox_image = "${pauseImage}"
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = "/etc/cni/net.d"
`

const network = {
  cniVersion: '0.4.0',
  name: 'pods',
  plugins: [
    { type: 'bridge', bridge: 'cni0', isGateway: true, ipam: { type: 'host-local', subnet: '10.90.0.0/16' } },
    { type: 'loopback' },
  ],
}

export const socket = '/run/containerd/containerd.sock'

/** Opens a session with both images, and starts containerd in it. */
export async function openContainerd(caller: Caller, runtime: Runtime, sections = only): Promise<Session> {
  const session = await openSession(caller, runtime)
  writeImages(session)
  session.write('/etc/cni/net.d/10-pods.conflist', JSON.stringify(network))
  await prepared(session, async () => {
    session.write('/etc/containerd/config.toml', `${await sections(session)}${common}`)
    await session.daemon(['containerd'], ['ctr', 'version'])
  })
  return session
}
