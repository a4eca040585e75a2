// SPDX-License-Identifier: Apache-2.0
// The configuration that registers the runtime with each program that calls OCI runtimes. Called by hutch generate. Pure.

import { basename } from '../system/paths.ts'
import { formatJson } from '../text/quote.ts'

/** What a configuration contains. */
interface EngineOptions {
  /** Absolute path of hutch-oci. */
  runtime: string
  /** Create groups through systemd, where that is a part of this configuration. */
  systemdCgroup: boolean
  /** Version of containerd's format: 2 for containerd 1.x and 2.x, 3 for 2.x only. */
  version: 2 | 3
}

/** Name of the runtime in the configurations of containerd, CRI-O and Kubernetes. */
const handler = 'hutch'

/** Runtimes whose errors podman reads as JSON by default. A list replaces that. */
const jsonRuntimes = ['crun', 'crun-vm', 'runc', 'kata', 'runsc', 'youki', 'krun']

/** A program, the file that its configuration belongs to, and the text. */
interface Engine {
  file: string
  format(options: EngineOptions): string
}

export const engines: { readonly [name: string]: Engine } = {
  podman: {
    file: '/etc/containers/containers.conf.d/hutch.conf, or ~/.config/containers/containers.conf.d/hutch.conf',
    format: ({ runtime, systemdCgroup }) => {
      const name = basename(runtime)
      const json = [...jsonRuntimes, name].map(toml).join(', ')
      return `[engine]
runtime = ${toml(name)}
# podman reads errors of these runtimes as JSON
runtime_supports_json = [${json}]
${systemdCgroup ? 'cgroup_manager = "systemd"\n' : ''}
[engine.runtimes]
${toml(name)} = [${toml(runtime)}]
`
    },
  },
  containerd: {
    file: '/etc/containerd/config.toml; restart containerd afterwards',
    format: ({ runtime, systemdCgroup, version }) => {
      const plugin = version === 3 ? "'io.containerd.cri.v1.runtime'" : '"io.containerd.grpc.v1.cri"'
      const section = (name: string, options: string) => `
[plugins.${plugin}.containerd.runtimes.${name}]
  runtime_type = "io.containerd.runc.v2"
  [plugins.${plugin}.containerd.runtimes.${name}.options]
${options}    SystemdCgroup = ${systemdCgroup}
`
      return `version = ${version}

# containerd's default runtime: without its section, containerd 1.6 does not load the CRI plugin
${section('runc', '').slice(1)}${section(handler, `    BinaryName = ${toml(runtime)}\n`)}`
    },
  },
  docker: {
    file: '/etc/docker/daemon.json; reload dockerd afterwards',
    format: ({ runtime }) => `${formatJson({ runtimes: { [basename(runtime)]: { path: runtime } } }, 2)}\n`,
  },
  crio: {
    file: '/etc/crio/crio.conf.d/10-hutch.conf; restart CRI-O afterwards',
    format: ({ runtime }) => `[crio.runtime.runtimes.${handler}]
runtime_path = ${toml(runtime)}
runtime_type = "oci"
runtime_root = "/run/hutch-oci"
`,
  },
  slurm: {
    file: "oci.conf in the directory of Slurm's configuration",
    format: ({ runtime }) => {
      const call = (command: string) => `"${runtime} --rootless=true --root=/run/user/%U/hutch-oci ${command}"`
      const id = '%n.%u.%j.%s.%t'
      return `EnvExclude="^(SLURM_CONF|SLURM_CONF_SERVER)="
RunTimeEnvExclude="^(SLURM_CONF|SLURM_CONF_SERVER)="
RunTimeQuery=${call(`state ${id}`)}
RunTimeKill=${call(`kill -a ${id}`)}
RunTimeDelete=${call(`delete --force ${id}`)}
RunTimeRun=${call(`run ${id} -b %b`)}
`
    },
  },
  kubernetes: {
    file: 'kubectl apply -f FILE; a pod then has runtimeClassName: hutch',
    format: () => `# handler: see hutch generate containerd, hutch generate crio
apiVersion: node.k8s.io/v1
kind: RuntimeClass
metadata:
  name: ${handler}
handler: ${handler}
`,
  },
}

/** Returns a text as a string of TOML, which has the escapes of JSON. */
function toml(text: string): string {
  return JSON.stringify(text)
}
