// SPDX-License-Identifier: Apache-2.0
// THIRD-PARTY.md: the licences of other people's code inside the built files. Called by scripts/release.js and scripts/release/deb.js.
import { existsSync, readFileSync } from 'node:fs'
import { readQuickjsLicence } from '../build/quickjs.js'

/** Packages of npm inside the CLI for Node. */
const bundled = {
  'd3-hierarchy': 'the treemap of the dashboard (dist/cli/)',
  uplot: 'the charts of the dashboard (dist/cli/)',
  yaml: 'the parser of manifests (dist/cli/)',
}
const lgpl = '/usr/share/common-licenses/LGPL-2.1'

function npmSection([name, what]) {
  const { version, license } = JSON.parse(readFileSync(`node_modules/${name}/package.json`, 'utf8'))
  return `## ${name} ${version} (${license}): ${what}\n\n${readFileSync(`node_modules/${name}/LICENSE`, 'utf8').trim()}\n`
}

/** Returns the licences of what is in the binary without Node, except the text of the LGPL. */
export function formatBinaryLicences() {
  const { version, text } = readQuickjsLicence()
  return `## QuickJS-ng ${version} (MIT): the engine in the binary without Node

${text}

## GNU C Library (LGPL-2.1-or-later): the C library in the binary without Node

The binary without Node is linked with the GNU C Library. Its source is that of your distribution's package glibc.
\`npm run build:standalone\`, in hutch's source, links the binary with another version of the library.`
}

/** Returns the text of THIRD-PARTY.md. */
export function formatLicences() {
  const library = existsSync(lgpl)
    ? readFileSync(lgpl, 'utf8').trim()
    : 'https://www.gnu.org/licenses/old-licenses/lgpl-2.1.txt'
  const ofNode = Object.entries(bundled).map(npmSection)
  return `# Licences of other people's code in hutch's files\n\n${ofNode.join('\n')}\n${formatBinaryLicences()}\n\n${library}\n`
}
