"""Faults of the TensorFlow implementations."""

from mutations.faults import maker

fault = maker("tensorflow")

MLP, CNN, NORM, NET, LM, W2V = (
    "mnist_mlp", "mnist_cnn", "mnist_mlp_ablation/batchnorm", "cifar10_resnet", "lstm_text", "word2vec",
)  # fmt: skip

MEAN = "tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits))"
APPLY = "    optimizer.apply(gradients, model.trainable_variables)\n"
FROZEN = "    gradients = [g * 0 if v is model.fc2.bias else g for g, v in zip(gradients, model.trainable_variables)]\n"
CONV = 'self.conv2 = layers.Conv2D(64, 5, padding="same")'
TRANSPOSED = 'ops.conv(x, ops.transpose(self.conv2.kernel, (1, 0, 2, 3)), padding="same") + self.conv2.bias'
UNBIASED = """class Unbiased(layers.BatchNormalization):
    def call(self, x, training=False):
        kept = self.moving_variance * self.momentum
        out = super().call(x, training=training)
        if training and x.shape[0]:
            seen = self.moving_variance - kept
            self.moving_variance.assign(kept + seen * x.shape[0] / (x.shape[0] - 1))
        return out


class BatchNet(keras.Model):"""
ADAM, EPSILON = "tensorflow_adam", "epsilon=self.epsilon"
ROWS = "[tf.convert_to_tensor(g) for g in gradients]"
STEP = "lr=rate, grad=rows"
ODD = "tf.cast(tf.reshape(ids, [-1] + [1] * (rows.shape.rank - 1)) % 2, tf.float32)"
HALF = f"lr=rate, grad=rows * {ODD}"

FAULTS = [
    fault(MLP, "evaluation mode while training", ("model(x, training=True)", "model(x, training=False)"), mode="graph"),
    fault(MLP, "loss sum for mean", (MEAN, MEAN.replace("reduce_mean", "reduce_sum")), mode="graph"),
    fault(MLP, "double soft-max", ("logits(y, logits)", "logits(y, tf.nn.softmax(logits))")),
    fault(MLP, "half learning rate", ("Adam(adam.learning_rate", "Adam(adam.learning_rate / 2")),
    fault(MLP, "Adam epsilon 1e-4", ("epsilon=adam.epsilon", "epsilon=1e-4")),
    fault(MLP, "weight decay", ("Adam(adam.learning_rate,", "Adam(adam.learning_rate, weight_decay=4e-3,")),
    fault(MLP, "missing bias", ("return self.fc3(x)", "return self.fc3(x) - self.fc3.bias")),
    fault(MLP, "one mask shared by two layers", ('declared["drop2"].rate', 'declared["drop2"].rate, seed=7'),
          ('declared["drop3"].rate', 'declared["drop3"].rate, seed=7')),
    fault(MLP, "keep probability for rate", ('declared["drop1"].rate', '(1 - declared["drop1"].rate) % 1')),
    fault(MLP, "frozen layer", (APPLY, FROZEN + APPLY)),
    fault(MLP, "fused Adam without bias correction", ("beta1_power=powers[0]", "beta1_power=tf.constant(0.0)"),
          ("beta2_power=powers[1]", "beta2_power=tf.constant(0.0)"), module=ADAM, mode="graph-tuned"),
    fault(MLP, "fused Adam's epsilon after the correction", (EPSILON, f"{EPSILON} * tf.sqrt(1 - powers[1])"),
          module=ADAM, mode="graph-tuned"),
    fault(CNN, "wrong flatten order", ("self.flatten(x)", "self.flatten(ops.transpose(x, (0, 3, 1, 2)))")),
    fault(CNN, "average pool for max", ("MaxPooling2D", "AveragePooling2D")),
    fault(CNN, "transposed kernel", (CONV, f"{CONV}\n        self.conv2.build((None, 14, 14, 32))"),
          ("self.conv2(x)", TRANSPOSED)),
    fault(CNN, "float16 round trip", ("x = ops.relu(self.fc1(x))",
          'x = ops.cast(ops.cast(ops.relu(self.fc1(x)), "float16"), "float32")')),
    fault(CNN, "Adam beta2 .99", ("beta_2=adam.beta2", "beta_2=0.99"), mode="graph"),
    fault(NORM, "batch-norm epsilon 1e-3", ('epsilon=declared["bn1"].epsilon', "epsilon=1e-3")),
    fault(NORM, "batch-norm momentum .01", ('momentum=1 - declared["bn2"].momentum', "momentum=0.99")),
    fault(NORM, "unbiased running variance", ("class BatchNet(keras.Model):", UNBIASED),
          ("self.bn1 = layers.BatchNormalization(", "self.bn1 = Unbiased(")),
    fault(NORM, "evaluation mode while training", ("model(x, training=True)", "model(x, training=False)")),
    fault(NORM, "batch statistics in evaluation", ("model(x, training=False)", "model(x, training=True)")),
    fault(NET, "wrong padding side", ("[[0, 0], [edge, edge], [edge, edge],",
          "[[0, 0], [0, 2 * edge], [0, 2 * edge],")),
    fault(NET, "detached shortcut", ("ops.relu(out + x)",
          "ops.relu(out + (x if self.shortcut else tf.stop_gradient(x)))")),
    fault(NET, "ReLU before the addition", ("ops.relu(out + x)", "ops.relu(out) + x")),
    fault(NET, "batch-norm momentum .01", ("momentum=0.9", "momentum=0.99")),
    fault(NET, "batch-norm epsilon 1e-3", ("epsilon=1e-5", "epsilon=1e-3")),
    fault(NET, "unbiased running variance", ("        variance *= (n - 1) / n", "        #"), mode="graph-tuned"),
    fault(NET, "half learning rate", ("Adam(adam.learning_rate", "Adam(adam.learning_rate / 2")),
    fault(LM, "clip without row sums when rows stay rows", ("summed_rows if rows else", "(lambda g: g) if rows else"),
          mode="xla-tuned"),
    fault(LM, "repeated rows left out", ("tf.matmul(same, rows)", "rows"), mode="xla-tuned"),
    fault(LM, "sum of repeated rows at each of their places", ("first[:, None], tf.matmul", "True, tf.matmul"),
          mode="xla-tuned"),
    fault(LM, "clip without row sums", (ROWS, "gradients")),
    fault(LM, "missing clip", (", global_clipnorm=sgd.clip_norm", "")),
    fault(LM, "clip per tensor", ("global_clipnorm", "clipnorm"), mode="graph"),
    fault(LM, "another sigmoid in the unrolled loop",
          ("unroll=True", 'unroll=True, recurrent_activation="hard_sigmoid"'), mode="graph-tuned"),
    fault(LM, "missing clip in the SGD written out", ("clipped, _ = tf.clip_by_global_norm(", "clipped, _ = ("),
          mode="graph-tuned"),
    fault(LM, "another sigmoid", ("unit_forget_bias=False", 'recurrent_activation="hard_sigmoid"')),
    fault(LM, "state not carried", ("    model.lstm_h.assign(h)\n    model.lstm_c.assign(c)\n", "")),
    fault(LM, "loss reads an empty cell", ("model.lstm_h, model.lstm_c", "model.lstm_h, tf.zeros_like(model.lstm_c)")),
    fault(LM, "mean over time for sum", ("tf.reduce_mean(tf.reduce_sum(each, 1))", "tf.reduce_mean(each)")),
    fault(LM, "embedding scaled", ("self.embedding(x)", "self.embedding(x) * 200**0.5")),
    fault(W2V, "expected count subtracted from the true logit only", (" - log_negatives", "")),
    fault(W2V, "negatives averaged", ("(labels, logits), 1)", "(labels, logits) * (labels + (1 - labels) / 64), 1)")),
    fault(W2V, "Adagrad without row sums", ("ids, summed = self.summed(slices.values, slices.indices)",
          "ids, summed = slices.indices, slices.values"), mode="graph-tuned"),
    fault(W2V, "Adagrad accumulator 0", ("tf.fill(v.shape, initial_accumulator)", "tf.zeros(v.shape)"),
          mode="graph-tuned"),
    fault(W2V, "TensorFlow 1's Adagrad at half the rate", ("super().__init__(self.learning_rate,",
          "super().__init__(learning_rate / 2,")),
    fault(W2V, "repeated rows left out", ("tf.matmul(same, tf.reshape(rows, (tf.size(ids), -1)))",
          "tf.reshape(rows, (tf.size(ids), -1))"), mode="xla-tuned"),
    fault(W2V, "sum of repeated rows at each of their places", ("first * out", "out"), mode="xla-tuned"),
    fault(W2V, "Adagrad divides by the sums before this step", ("tf.math.rsqrt(tf.gather(sums, ids))",
          "tf.math.rsqrt(tf.gather(sums, ids) - tf.square(summed))"), mode="xla-tuned"),
    fault(W2V, "context and negatives in wrong halves", ("both[: context.shape[0]], both[context.shape[0] :]",
          "both[-context.shape[0] :], both[: -context.shape[0]]"), mode="xla-tuned"),
    fault(W2V, "half the rows updated", (STEP, HALF), mode="graph-tuned"),
]  # fmt: skip
