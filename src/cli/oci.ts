// SPDX-License-Identifier: Apache-2.0
// hutch oci: the OCI runtime, which parses its own words. Also installed under the name hutch-oci.
import type { Command } from './command.ts'

export const command: Command = {
  words: '[GLOBAL OPTIONS] COMMAND [OPTIONS] …',
  details:
    'Runs OCI bundles with the command line of runc, for podman, containerd, Docker, BuildKit, buildah and CRI-O. They call it under the name hutch-oci: hutch links --dir DIR hutch-oci makes that link. `hutch oci --help` lists the commands, and `hutch oci COMMAND --help` their options.',
  flags: {},
  runsCommand: true,
  examples: [
    ['hutch oci spec --bundle DIR', 'Write a config.json to begin with.'],
    ['hutch oci list', 'List the containers.'],
  ],
  statuses: [
    ['0', 'success'],
    ['1', 'a failure; 255 for exec'],
  ],
  parse: (words) => ({ values: {}, order: [], rest: words }),
  main: async ({ rest }) => (await import('../oci/main.ts')).main(rest, 'hutch oci'),
}
