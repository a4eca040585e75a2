// SPDX-License-Identifier: Apache-2.0
// The table of hutch's commands. Each is loaded only when it is called.

import { dropins } from '../dropin/table.ts'
import type { CommandGroup, CommandTable } from './command.ts'

export const commands: CommandTable = {
  run: { summary: 'Run a command inside limits and namespaces', load: () => import('./run.ts') },
  compile: {
    summary: 'Write a run as one executable that does not need Node',
    load: () => import('./compile.ts'),
  },
  cgroup: { summary: 'Create, change, show and remove control groups', load: () => import('./cgroup.ts') },
  top: {
    summary: 'Show all groups on a full screen; freeze, kill and limit them',
    load: () => import('./node/top.ts'),
  },
  stats: { summary: 'Print what groups use, every second', load: () => import('./stats.ts') },
  ps: { summary: 'List the processes of groups', load: () => import('./ps.ts') },
  dashboard: { summary: 'Serve all groups as a live web page', load: () => import('./node/dashboard.ts') },
  metrics: {
    summary: 'Export the figures of all groups to Prometheus or by OTLP',
    load: () => import('./node/metrics.ts'),
  },
  record: { summary: 'Record the figures of all groups in a file', load: () => import('./node/record.ts') },
  replay: { summary: 'Show a recording, or one moment of it', load: () => import('./node/replay.ts') },
  advise: {
    summary: 'Measure what a command needs, and print requests and limits for it',
    load: () => import('./node/advise.ts'),
  },
  kube: { summary: 'Explain manifests of Kubernetes, without a cluster', load: () => import('./kube.ts') },
  oci: { summary: 'Run OCI bundles with the command line of runc', load: () => import('./oci.ts') },
  generate: {
    summary: 'Print the configuration that registers hutch-oci with podman, containerd and others',
    load: () => import('./generate.ts'),
  },
  hog: { summary: 'Allocate and touch memory, to see a limit work', load: () => import('./hog.ts') },
  why: {
    summary: 'Explain what stopped or slowed a process, a group or a run',
    load: () => import('./why.ts'),
  },
  rules: { summary: 'Move processes into groups by user, group and program', load: () => import('./rules.ts') },
  doctor: { summary: 'Check what this host offers and how to get what is missing', load: () => import('./doctor.ts') },
  links: {
    summary: 'Install links for cgexec, bwrap, unshare and the other drop-ins',
    load: () => import('./links.ts'),
  },
  completion: { summary: 'Print the completion script of a shell', load: () => import('./completion.ts') },
  tour: { summary: 'Run experiments that show limits and namespaces at work', load: () => import('./tour.ts') },
}

/** hutch itself, for its own help. */
export const hutch: CommandGroup = {
  verbs: commands,
  details: `Drop-in commands, with the options of cgroup-tools, util-linux, bubblewrap and runc:\n  ${Object.keys(dropins).join(' ')}`,
}
