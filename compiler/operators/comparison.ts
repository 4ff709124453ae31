/**
 * The operators that other systems' sharding rules name, next to ONNX's.
 *
 * Shardy: the cases of `createOpShardingRule` in shardy/dialect/sdy/transforms/propagation/op_sharding_rule_registry.cc at commit
 * 009a911, read in full. Left out: collectives, its own operators, and custom calls that only XLA's passes make (CompactWyHelper,
 * InvertDiagBlocks…, LayoutConstraint, MoveTo…, X64Combine, annotate_device_placement).
 *
 * DTensor: forward operators by base name, without overloads, in-place and _foreach_ forms, from torch/distributed/tensor/_ops as of
 * early 2026. Read in full: the lists in _pointwise_ops.py, _random_ops.py and _view_ops.py. Read in part: _tensor_ops.py and
 * _math_ops.py. Not read, named by their documentation: _matrix_ops.py, _conv_ops.py, _embedding_ops.py and smaller files. It grows
 * from month to month, so its number is a lower bound, not a count.
 *
 * A name that means several ONNX operators counts once.
 */
import { type Described, isSplittable } from './describe.ts';

/** Their name → ONNX's, where ONNX has it: `Compare=Equal,Less`. */
function table(text: string): ReadonlyMap<string, readonly string[]> {
  return new Map(
    text
      .trim()
      .split(/\s+/)
      .map((entry) => {
        const [name, own] = entry.split('=');
        return [name!, own?.split(',') ?? []];
      }),
  );
}

const shardy = table(`
  Abs=Abs Add=Add,Sum And=And,BitwiseAnd Atan2 Cbrt Ceil=Ceil Clz Compare=Equal,Greater,GreaterOrEqual,Less,LessOrEqual Complex
  Convert=Cast,CastLike Cosine=Cos Div=Div Exp=Exp Expm1 Floor=Floor Imag IsFinite Log1p Log=Log Logistic=Sigmoid Max=Max Min=Min
  Mul=Mul Neg=Neg Not=Not,BitwiseNot Or=Or,BitwiseOr PopulationCount Pow=Pow Real ReducePrecision Rem=Mod RoundNearestEven=Round
  Round Rsqrt ShiftLeft=BitShift ShiftRightArithmetic ShiftRightLogical=BitShift Sign=Sign Sine=Sin Sqrt=Sqrt Subtract=Sub Tan=Tan
  Tanh=Tanh Xor=Xor,BitwiseXor Reverse BitcastConvert=BitCast BroadcastInDim=Expand Cholesky Clamp=Clip Concatenate=Concat
  Convolution=Conv,ConvTranspose erf=Erf Eigh Qr ProductOfElementaryHouseholderReflectors topk=TopK ApproxTopK DotGeneral=MatMul,Einsum
  Dot=Gemm DynamicSlice=Slice DynamicUpdateSlice=TensorScatter Fft=DFT Gather=Gather,GatherElements,GatherND Pad=Pad
  Reduce=ReduceMax,ReduceMin,ReduceProd,ReduceSum ReduceWindow=AveragePool,CumSum,MaxPool Reshape=Flatten,Reshape,Squeeze,Unsqueeze
  Scatter=ScatterElements,ScatterND SelectAndScatter Select=Where Slice=Slice,Split Sort Transpose=Transpose TriangularSolve
`);

const dtensor = table(`
  abs=Abs acos=Acos acosh=Acosh add=Add,Sum addcdiv addcmul angle asin=Asin asinh=Asinh atan=Atan atan2 atanh=Atanh
  bitwise_and=BitwiseAnd bitwise_left_shift=BitShift bitwise_not=BitwiseNot bitwise_or=BitwiseOr bitwise_right_shift=BitShift
  bitwise_xor=BitwiseXor ceil=Ceil clamp=Clip conj copysign cos=Cos cosh=Cosh deg2rad digamma div=Div eq=Equal erf=Erf erfc erfinv
  exp=Exp exp2 expm1 float_power floor=Floor fmax fmin fmod=Mod frac gcd ge=GreaterOrEqual gelu=Gelu gt=Greater heaviside hypot i0
  igamma igammac isinf=IsInf isnan=IsNaN isneginf isposinf ldexp le=LessOrEqual lerp lgamma log=Log log10 log1p log2 logaddexp
  logaddexp2 logical_and=And logical_not=Not logical_or=Or logical_xor=Xor logit lt=Less masked_fill maximum=Max minimum=Min mul=Mul
  mvlgamma nan_to_num ne neg=Neg nextafter polygamma positive=Identity pow=Pow rad2deg reciprocal=Reciprocal relu=Relu remainder=Mod
  round=Round rsqrt rsub sgn sigmoid=Sigmoid sign=Sign signbit silu=Swish sin=Sin sinc sinh=Sinh sqrt=Sqrt square sub=Sub tan=Tan
  tanh=Tanh trunc where=Where xlogy clamp_min=Max clamp_max=Min special_erfcx bessel_i0e bessel_i1 bessel_i1e bessel_j0 bessel_j1
  spherical_bessel_j0 frexp ndtri zeta to=Cast,CastLike clone=Identity contiguous detach alias fill is_same_size empty_like ones_like
  zeros_like new_empty new_full new_ones new_zeros equal bucketize select=Gather slice=Slice slice_scatter
  gather=GatherElements scatter=ScatterElements scatter_add=ScatterElements index=GatherND index_select=Gather index_put=ScatterND
  stack cat=Concat split=Split unbind topk=TopK sort cumsum=CumSum logsumexp=ReduceLogSumExp argmax=ArgMax argmin=ArgMin
  sum=ReduceSum mean=ReduceMean prod=ReduceProd amax=ReduceMax amin=ReduceMin all any var std linalg_vector_norm=ReduceL1,ReduceL2
  softmax=Softmax log_softmax=LogSoftmax nll_loss=NegativeLogLikelihoodLoss,SoftmaxCrossEntropyLoss
  layer_norm=LayerNormalization rms_norm=RMSNormalization dropout=Dropout embedding=Gather mm=MatMul bmm=MatMul addmm=Gemm baddbmm
  dot=MatMul einsum=Einsum scaled_dot_product_attention=Attention convolution=Conv,ConvTranspose view=Reshape,Flatten
  permute=Transpose transpose=Transpose reshape=Reshape view_as_complex view_as_real squeeze=Squeeze unsqueeze=Unsqueeze expand=Expand repeat=Tile tril=Trilu triu=Trilu
  constant_pad_nd=Pad fft=DFT full_like=ConstantOfShape normal=RandomNormal
  uniform=RandomUniform rand_like=RandomUniformLike randn_like=RandomNormalLike randint_like log_normal exponential geometric
  bernoulli=Bernoulli multinomial=Multinomial
`);

export interface Comparison {
  readonly name: string;
  /** Operators that its rules name. */
  readonly named: number;
  /** Of them, those that ONNX has. */
  readonly shared: number;
  /** Of these, those that can be cut here along at least one letter. */
  readonly splittable: number;
  /** Those of the shared that run whole here, as they are named there. */
  readonly whole: readonly string[];
  /** Splittable operators, of all domains, that its rules do not name. */
  readonly beyond: number;
}

export function compareWith(rows: readonly Described[]): Comparison[] {
  const own = new Map(rows.filter(({ domain }) => domain === '').map((row) => [row.type, row]));
  const splittableHere = rows.filter(isSplittable);
  return [['Shardy', shardy] as const, ['PyTorch DTensor', dtensor] as const].map(([name, theirs]) => {
    const shared = [...theirs].filter(([, types]) => types.some((type) => own.has(type)));
    const isCut = (type: string) => own.has(type) && isSplittable(own.get(type)!);
    const named = new Set(shared.flatMap(([, types]) => types));
    const whole = shared.filter(([, types]) => !types.every(isCut)).map(([theirName]) => theirName);
    return {
      name,
      named: theirs.size,
      shared: shared.length,
      splittable: shared.length - whole.length,
      whole,
      beyond: splittableHere.filter(({ domain, type }) => domain !== '' || !named.has(type)).length,
    };
  });
}

/** Operators they name that are not in the table: a misspelling shows here. */
export const strangers = (rows: readonly Described[]): string[] => {
  const own = new Set(rows.map(({ type }) => type));
  return [...shardy.values(), ...dtensor.values()].flat().filter((type) => !own.has(type));
};
