// SPDX-License-Identifier: Apache-2.0
// hutch kube: the table of its verbs.
import type { CommandGroup } from './command.ts'

export const command: CommandGroup = {
  verbs: {
    explain: {
      summary: 'Show the control groups that Kubernetes makes of a manifest',
      load: () => import('./node/kube-explain.ts'),
    },
    generate: {
      summary: 'Write the manifest for a run, a report or a group',
      load: () => import('./node/kube-generate.ts'),
    },
  },
  details: 'Needs no cluster: everything follows from the manifest, the version of Kubernetes and the size of a node.',
}
