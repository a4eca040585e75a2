// SPDX-License-Identifier: Apache-2.0
// Valid objects for tests of manifests, and changes to them by path.

const template = (spec: object = {}) => ({
  metadata: { labels: { app: 'web' } },
  spec: {
    containers: [
      {
        name: 'web',
        image: 'web:1',
        ports: [{ name: 'http', containerPort: 8080 }],
        env: [{ name: 'LEVEL', value: 'info' }],
        resources: { requests: { cpu: '250m', memory: '64Mi' }, limits: { cpu: '1', memory: '128Mi' } },
        volumeMounts: [{ name: 'data', mountPath: '/data' }],
        livenessProbe: { httpGet: { port: 'http' } },
      },
    ],
    initContainers: [{ name: 'init', image: 'web:1' }],
    volumes: [{ name: 'data', emptyDir: {} }],
    ...spec,
  },
})

const selector = { matchLabels: { app: 'web' } }
const job = { template: template({ restartPolicy: 'Never' }) }
const apps = (kind: string, more: object = {}) => ({
  apiVersion: 'apps/v1',
  kind,
  metadata: { name: 'web' },
  spec: { selector, template: template(), ...more },
})

/** Makes a valid object of each kind. */
export const valid: { readonly [kind: string]: () => object } = {
  Pod: () => ({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web' }, spec: template().spec }),
  Deployment: () => apps('Deployment', { replicas: 3 }),
  ReplicaSet: () => apps('ReplicaSet'),
  DaemonSet: () => apps('DaemonSet'),
  StatefulSet: () => apps('StatefulSet', { serviceName: 'web' }),
  Job: () => ({ apiVersion: 'batch/v1', kind: 'Job', metadata: { name: 'web' }, spec: job }),
  CronJob: () => ({
    apiVersion: 'batch/v1',
    kind: 'CronJob',
    metadata: { name: 'web' },
    spec: { schedule: '*/5 * * * *', jobTemplate: { spec: job } },
  }),
  RuntimeClass: () => ({ apiVersion: 'node.k8s.io/v1', kind: 'RuntimeClass', metadata: { name: 'vm' }, handler: 'vm' }),
  PriorityClass: () => ({
    apiVersion: 'scheduling.k8s.io/v1',
    kind: 'PriorityClass',
    metadata: { name: 'high' },
    value: 1000,
  }),
}

/** Returns a valid object with another value at a path such as spec.containers[0].name; undefined removes the field. */
export function changed(kind: string, path: string, value: unknown): object {
  const object = structuredClone(valid[kind]!())
  const keys = path.split(/[.[\]]+/).filter(Boolean)
  let inner = object as { [key: string]: unknown }
  for (const [i, key] of keys.entries())
    if (i < keys.length - 1) {
      inner[key] ??= /^\d+$/.test(keys[i + 1]!) ? [] : {}
      inner = inner[key] as { [key: string]: unknown }
    } else if (value === undefined) delete inner[key]
    else inner[key] = value
  return object
}
