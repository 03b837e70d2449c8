"""An encoder is taught: VGG16 learns to agree with ImageNet classifiers on unlabelled photographs."""
