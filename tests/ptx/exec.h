/* exec.h - the functions that decoded instructions point to. `mask`: the lanes that execute, never
 * empty. */
#ifndef PTX_EXEC_H
#define PTX_EXEC_H

#include "vm.h"

/* exec_alu.c */
exec_fn x_lane, x_lane_mod, x_sreg, x_address, x_local_address, x_dynamic_address, x_pack, x_unpack,
    x_isspacep, x_nothing;
/* exec_mem.c */
exec_fn x_ld_global, x_ld_shared, x_ld_local, x_ld_param, x_ld_generic;
exec_fn x_st_global, x_st_shared, x_st_local, x_st_generic;
/* exec_async.c */
exec_fn x_cp_async, x_cp_commit, x_cp_wait, x_cp_mbarrier;
/* exec_bulk.c */
exec_fn x_mbarrier, x_cp_bulk, x_bulk_commit, x_bulk_wait, x_st_async;
/* exec_tensor.c */
exec_fn x_cp_tensor;
/* exec_atom.c */
exec_fn x_atom, x_fence, x_proxy_fence;
/* exec_sync.c */
exec_fn x_bar, x_bar_warp, x_shfl, x_vote, x_match, x_redux, x_activemask, x_elect;
/* exec_flow.c */
exec_fn x_bra, x_brx, x_call, x_call_pointer, x_ret, x_exit, x_trap, x_nanosleep;
/* exec_system.c */
exec_fn x_system;
int system_call(const char *name); /* what x_system needs as `sub`, or -1 */
/* watch.c */
exec_fn x_watched, x_aside;
/* exec_wgmma.c */
exec_fn x_wgmma, x_wgmma_fence, x_wgmma_commit, x_wgmma_wait, x_setmaxnreg;
/* exec_cluster.c */
exec_fn x_cluster_arrive, x_cluster_wait, x_mapa, x_ctarank;
/* exec_mma.c */
exec_fn x_mma, x_ldmatrix, x_stmatrix, x_movmatrix;

enum {
    ATOM_ADD,
    ATOM_AND,
    ATOM_OR,
    ATOM_XOR,
    ATOM_MIN,
    ATOM_MAX,
    ATOM_INC,
    ATOM_DEC,
    ATOM_EXCH,
    ATOM_CAS
};
enum { LOAD_PLAIN, LOAD_NC, LOAD_DATA }; /* DATA: strong, and no flag: flow.c */
enum { SHFL_UP, SHFL_DOWN, SHFL_BFLY, SHFL_IDX };
enum { VOTE_ALL, VOTE_ANY, VOTE_UNI, VOTE_BALLOT };
enum { REDUX_ADD, REDUX_AND, REDUX_OR, REDUX_XOR, REDUX_MIN, REDUX_MAX };
enum {
    MBAR_INIT,
    MBAR_INVAL,
    MBAR_DROP,
    MBAR_ARRIVE,
    MBAR_EXPECT,
    MBAR_COMPLETE,
    MBAR_WAIT,
    MBAR_PENDING
};
enum { BAR_SYNC, BAR_ARRIVE, BAR_POPC, BAR_AND, BAR_OR };
/* What splits wait for besides the 16 barriers of a block. */
enum { BAR_CLUSTER = 16, BAR_GROUP, BAR_REGISTERS };
enum { WG_NEGATE_A = 1, WG_NEGATE_B = 2, WG_TRANS_A = 4, WG_TRANS_B = 8, WG_REGISTERS = 16 };

#endif
