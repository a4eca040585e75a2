// SPDX-License-Identifier: Apache-2.0
// Arguments and variables are bytes to the kernel: those that are not UTF-8 reach the command as they are, by every front door.
// In a VM only in `npm run test:kernels`.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Cgroup, run } from '../../src/index.ts'
import { decodeNames, encodePath, keepMarks } from '../../src/text/non-utf8.ts'
import { hutchLine } from '../support/command.ts'

const place = mkdtempSync(`${tmpdir()}/hutch-test-bytes-`)
const group = `hutch-test-${process.pid}-bytes`
beforeAll(() => Cgroup.create(group, { controllers: ['pids'] }))
afterAll(async () => {
  rmSync(place, { recursive: true })
  await Cgroup.open(group).remove()
})

/** Runs a line of shell in which $HUTCH is hutch, and $ODD a text of bytes that are not UTF-8, and returns the bytes that it prints. */
const shell = (line: string) =>
  execFileSync('sh', ['-c', `ODD=$(printf 'a\\377\\357\\277\\275ff\\303'); ${line}`], {
    env: { ...process.env, HUTCH: `${hutchLine}`, COMPILED: `${place}/compiled`, PLACE: place },
    stdio: ['ignore', 'pipe', 'inherit'],
  }).toString('latin1')
const odd = 'a\xff\xef\xbf\xbdff\xc3'

test('control: Node itself reads them as something else', () => {
  expect(shell(`${process.execPath} -e 'process.stdout.write(process.argv[1])' -- "$ODD"`)).not.toBe(odd)
})

test.each([
  ['run', '$HUTCH run -q --limit none -- printf %s "$ODD"'],
  ['run in a sandbox', '$HUTCH run -q --sandbox --limit none -- printf %s "$ODD"'],
  ['bwrap', '$HUTCH bwrap --bind / / printf %s "$ODD"'],
  ['unshare', '$HUTCH unshare --map-root-user printf %s "$ODD"'],
  ['nsenter', '$HUTCH nsenter -t $$ -u printf %s "$ODD"'],
  ['cgroup exec', `$HUTCH cgroup exec ${group} -- printf %s "$ODD"`],
  ['cgexec', `$HUTCH cgexec -g pids:hutch/${group} printf %s "$ODD"`],
  ['a compiled file', '$HUTCH compile --limit none -o "$COMPILED" -- printf %s "$ODD" && "$COMPILED"'],
  ['a variable that a job inherits', 'export ODD; $HUTCH run -q --limit none -- sh -c \'printf %s "$ODD"\''],
  ['a variable by --env', 'export ODD; $HUTCH run -q --sandbox --limit none --env ODD -- sh -c \'printf %s "$ODD"\''],
  ['a variable with its value', '$HUTCH run -q --limit none --env X="$ODD" -- sh -c \'printf %s "$X"\''],
  ['a variable that bwrap passes on', 'export ODD; $HUTCH bwrap --bind / / sh -c \'printf %s "$ODD"\''],
  ['a variable that unshare passes on', 'export ODD; $HUTCH unshare --map-root-user sh -c \'printf %s "$ODD"\''],
])('%s', (_, line) => {
  expect(shell(line)).toBe(odd)
})

/** The names in a new directory are what the line leaves there. */
const inNew = (line: string) =>
  shell(`cd "$(mktemp -d "$PLACE/XXXXXX")" && chmod 755 . && RUN="$HUTCH run -q --limit none" && ${line}`)
const list = 'for file in *; do printf %s "$file"; done'

test.each([
  ['--report', `$RUN --report "$ODD" -- true; ${list}`],
  [
    '--report with a directory',
    `mkdir "$ODD"; $RUN --report "$PWD/$ODD/x" -- true; cd "$ODD" && echo x > y; printf %s "$ODD"; rm x`,
  ],
  ['--meta', `$RUN --meta "$ODD" -- true; ${list}`],
  ['--learn', `$RUN --learn "$ODD" -- true; ${list}`],
  ['--stdout', `$RUN --stdout "$ODD" -- true; ${list}`],
  ['--stderr', `$RUN --stderr "$ODD" -- true; ${list}`],
  ['compile --output', `$HUTCH compile --limit none --output "$ODD" -- true; ${list}`],
  ['--stdin', `printf %s "$ODD" > "$ODD"; $RUN --stdin "$ODD" -- cat`],
  ['--volume', `printf %s "$ODD" > "$ODD"; $RUN --sandbox --volume "./$ODD:/mnt/x" -- cat /mnt/x`],
  ['--rootfs', `mkdir "$ODD"; $RUN --rootfs / --volume "$PWD/$ODD:/tmp:rw" -- touch "/tmp/$ODD"; cd "$ODD"; ${list}`],
  ['--workdir', `mkdir "$ODD"; $RUN --workdir "$PWD/$ODD" -- sh -c 'printf %s "\${PWD##*/}"'`],
  ['the working directory', `mkdir "$ODD"; cd "$ODD"; $RUN -- sh -c 'printf %s "\${PWD##*/}"'`],
  ['--seccomp', `echo '{"defaultAction":"SCMP_ACT_ALLOW"}' > "$ODD"; $RUN --seccomp "$ODD" -- printf %s "$ODD"`],
  ['cgroup save --output', `$HUTCH cgroup save --output "$ODD" ${group}; ${list}`],
  [
    'why FILE',
    `$RUN --report "$ODD.json" -- false; $HUTCH why "./$ODD.json" > y; test -s y && rm y; ${list} | sed 's/.json//'`,
  ],
])('a file of the caller: %s', (_, line) => {
  expect(inNew(line)).toBe(odd)
})

test('control: Node opens a file of another name', () => {
  const line = `${process.execPath} -e 'fs.writeFileSync(process.argv[1], "")' -- "$ODD"; ${list}`
  expect(inNew(line)).not.toBe(odd)
})

test('a compiled file honours the umask', () => {
  shell('umask 077; $HUTCH compile --limit none -o "$COMPILED.private" -- true')
  expect(statSync(`${place}/compiled.private`).mode & 0o777).toBe(0o700)
})

test('an argument of the library is the text that it is', async () => {
  expect((await run('printf', ['%s', 'x\ufffdff'], { limits: 'none' })).stdout).toBe('x\ufffdff')
})

test.each(['', 'plain', '\ufffd', '\ufffdff', 'ä\ufffd\ufffdzz'])('text %j is kept', (text) => {
  expect(encodePath(keepMarks(text)).toString()).toBe(text)
  expect(decodeNames(Buffer.from(text))).toBe(keepMarks(text))
})
