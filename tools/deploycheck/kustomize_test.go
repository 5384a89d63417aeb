package deploycheck_test

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// kinds are the objects of the base, in the types of Kubernetes' own API: a field that it does not know is an error.
func kinds() map[string]func() any {
	return map[string]func() any{
		"v1 Namespace": func() any { return &corev1.Namespace{} }, "v1 ConfigMap": func() any { return &corev1.ConfigMap{} },
		"v1 Service": func() any { return &corev1.Service{} }, "v1 PersistentVolumeClaim": func() any { return &corev1.PersistentVolumeClaim{} },
		"apps/v1 Deployment": func() any { return &appsv1.Deployment{} }, "batch/v1 Job": func() any { return &batchv1.Job{} },
		"policy/v1 PodDisruptionBudget":          func() any { return &policyv1.PodDisruptionBudget{} },
		"autoscaling/v2 HorizontalPodAutoscaler": func() any { return &autoscalingv2.HorizontalPodAutoscaler{} },
	}
}

// The base renders as `kubectl apply -k` renders it, and every object is one that Kubernetes takes.
func TestKustomize(t *testing.T) {
	rendered, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), deploy+"/kubernetes")
	if err != nil {
		t.Fatal(err)
	}
	var deployments []*appsv1.Deployment
	disruptions, known := map[string]bool{}, kinds()
	for _, resource := range rendered.Resources() {
		raw, err := resource.AsYAML()
		if err != nil {
			t.Fatal(err)
		}
		make, found := known[resource.GetApiVersion()+" "+resource.GetKind()]
		if !found {
			t.Errorf("%s %s: add its type to this test", resource.GetApiVersion(), resource.GetKind())
			continue
		}
		object := make()
		if err := yaml.UnmarshalStrict(raw, object); err != nil {
			t.Errorf("%s %s: %v", resource.GetKind(), resource.GetName(), err)
		}
		if resource.GetKind() != "Namespace" && resource.GetNamespace() != "corrosion" {
			t.Errorf("%s %s is in namespace %q", resource.GetKind(), resource.GetName(), resource.GetNamespace())
		}
		switch o := object.(type) {
		case *appsv1.Deployment:
			deployments = append(deployments, o)
		case *policyv1.PodDisruptionBudget:
			disruptions[o.Spec.Selector.MatchLabels["app.kubernetes.io/name"]] = true
		}
	}
	if len(deployments) != 3 {
		t.Errorf("%d deployments", len(deployments))
	}
	for _, d := range deployments {
		checkDeployment(t, d)
		if !disruptions[d.Name] {
			t.Errorf("%s may lose all its pods at once", d.Name)
		}
	}
}

func checkDeployment(t *testing.T, d *appsv1.Deployment) {
	t.Helper()
	for name, value := range d.Spec.Selector.MatchLabels {
		if d.Spec.Template.Labels[name] != value {
			t.Errorf("%s selects pods that it does not make", d.Name)
		}
	}
	volumes := map[string]bool{}
	for _, volume := range d.Spec.Template.Spec.Volumes {
		volumes[volume.Name] = true
	}
	for _, container := range d.Spec.Template.Spec.Containers {
		if container.Image != "registry.example.org/corrosion:1.0.0" {
			t.Errorf("%s runs %s", d.Name, container.Image)
		}
		for _, mount := range container.VolumeMounts {
			if !volumes[mount.Name] {
				t.Errorf("%s mounts %s, which it does not have", d.Name, mount.Name)
			}
		}
		ports := map[string]bool{}
		for _, port := range container.Ports {
			ports[port.Name] = true
		}
		for _, probe := range []*corev1.Probe{container.LivenessProbe, container.ReadinessProbe, container.StartupProbe} {
			if probe == nil || probe.HTTPGet == nil || !ports[probe.HTTPGet.Port.StrVal] {
				t.Errorf("%s is probed at a port that it does not have", d.Name)
			}
		}
	}
}
