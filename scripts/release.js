// SPDX-License-Identifier: Apache-2.0
// node scripts/release.js [DIR [PLATFORM…]]: the package with prebuilt binaries for all platforms, or the given ones, as DIR/hutch-VERSION.tgz, from dist/ as
// it is. npm run build:release builds dist/ first, and DIR is release/. This machine's binaries are those in build/, made again if they are not of the
// sources as they are. Two builds of one commit have the same bytes. Needs gcc for each platform:
// apt-get install gcc gcc-aarch64-linux-gnu libc6-dev-arm64-cross
import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'

/**
 * The compiler of each platform. A platform is an instruction set: no file needs a library, so glibc and musl have the same files
 * (native/build.sh).
 */
const compilers = {
  'linux-x64': 'x86_64-linux-gnu-gcc',
  'linux-arm64': 'aarch64-linux-gnu-gcc',
}

/** Other people's code inside the built files, with the licence of each. */
const bundled = {
  'd3-hierarchy': 'the treemap of the dashboard (dist/cli/monitor.cjs)',
  uplot: 'the charts of the dashboard (dist/cli/monitor.cjs)',
}

const release = resolve(process.argv[2] ?? 'release')
const staging = `${release}/package`
const run = (command, args, options = {}) => execFileSync(command, args, { stdio: 'inherit', ...options })

rmSync(release, { recursive: true, force: true })
mkdirSync(staging, { recursive: true })
const { files } = JSON.parse(readFileSync('package.json', 'utf8'))
const own = files.filter((path) => !/^(!|build|prebuilt|THIRD-PARTY)/.test(path))
// bytecode is of one version of Node, and no two builds of it are the same
const keep = (path) => !path.endsWith('.cache') && !path.startsWith('docs/images')
for (const path of [...own, 'package.json', 'README.md', 'LICENSE'])
  cpSync(path, `${staging}/${path}`, { recursive: true, filter: keep })

const platforms = process.argv.length > 3 ? process.argv.slice(3) : Object.keys(compilers)
for (const platform of platforms) {
  const built = platform === `linux-${process.arch}` ? 'build' : `${release}/${platform}`
  run('sh', ['native/build.sh', '--into', built], { env: { ...process.env, CC: compilers[platform] } })
  // hutch-init is inside the first two
  for (const name of ['hutch.node', 'hutch-compiled', 'bin/hutch'])
    cpSync(`${built}/${name}`, `${staging}/prebuilt/${platform}/${name}`)
}
writeFileSync(`${staging}/THIRD-PARTY.md`, formatLicences())
run('npm', ['pack', '--ignore-scripts', '--silent', '--pack-destination', release], { cwd: staging, stdio: 'ignore' })

function formatLicences() {
  const sections = Object.entries(bundled).map(([name, what]) => {
    const { version, license } = JSON.parse(readFileSync(`node_modules/${name}/package.json`, 'utf8'))
    return `## ${name} ${version} (${license}): ${what}\n\n${readFileSync(`node_modules/${name}/LICENSE`, 'utf8').trim()}\n`
  })
  return `# Licences of other people's code in this package\n\n${sections.join('\n')}`
}
