/* value_table.c - the constant tables of math.def. */
#include "src/ir/value.h"

#define CT_i64 int64_t
#define CT_i32 int32_t
#define CT_f32 float
#define CT_f64 double
#define DT_i64 BZ_I64
#define DT_i32 BZ_I32
#define DT_f32 BZ_F32
#define DT_f64 BZ_F64

#define TABLE(name, type, ...) static const CT_##type name[] = {__VA_ARGS__};
#include "src/ir/math_tables.def"

const ir_vtable ir_vtables[] = {
#define TABLE(name, type, ...) {#name, DT_##type, sizeof name / sizeof *name, name},
#include "src/ir/math_tables.def"
};
const unsigned ir_vtable_count = sizeof ir_vtables / sizeof *ir_vtables;
