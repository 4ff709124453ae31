import { prove, f32, ints, int,float,text } from './brute-force.ts';
const t=Date.now();
for (const c of [
 {type:'Relu', inputs:[f32(2,3,4,5)]},
 {type:'Add', inputs:[f32(2,3,4,5), f32(3,1,5)]},
 {type:'Conv', inputs:[f32(2,3,9,8), f32(4,3,3,3), f32(4)], attributes:{pads:ints(1,1,1,1), strides:ints(2,1)}},
 {type:'Conv', inputs:[f32(2,4,9,8), f32(8,1,3,3), f32(8)], attributes:{pads:ints(1,1,1,1), group:int(4)}},
 {type:'MaxPool', inputs:[f32(2,4,9,8)], attributes:{pads:ints(1,1,1,1), kernel_shape:ints(3,3), strides:ints(2,2), ceil_mode:int(1)}},
 {type:'AveragePool', inputs:[f32(2,4,9,8)], attributes:{pads:ints(1,1,1,1), kernel_shape:ints(3,3), strides:ints(2,2), ceil_mode:int(1), count_include_pad:int(1)}},
 {type:'GlobalAveragePool', inputs:[f32(2,4,9,8)]},
 {type:'MatMul', inputs:[f32(2,1,3,8), f32(5,8,3)]},
 {type:'Gemm', inputs:[f32(3,8), f32(8,3), f32(3)]},
 {type:'Concat', inputs:[f32(3,8), f32(3,3), f32(3,1)], attributes:{axis:int(1)}},
 {type:'Transpose', inputs:[f32(3,8,2,3)], attributes:{perm:ints(1,3,0,2)}},
 {type:'Softmax', inputs:[f32(3,8,2,3)]},
 {type:'Flatten', inputs:[f32(3,8,2,3)], attributes:{axis:int(2)}},
 {type:'BatchNormalization', inputs:[f32(3,8,2,3),f32(8),f32(8),f32(8),{...f32(8),range:[0.5,1] as const}]},
]) { const t0=Date.now(); try { const p = await prove(c); console.log(c.type, p.cut.notation, p.letters, p.tiles, Date.now()-t0); } catch(e) { console.log('FAIL', String(e).slice(0,1500)); } }
console.log(Date.now()-t);
