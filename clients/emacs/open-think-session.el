;;; open-think-session.el --- The buffer of a session with Helm  -*- lexical-binding: t; -*-

;; SPDX-License-Identifier: MIT OR Apache-2.0

;;; Commentary:

;; The mode of sessions' buffers, their keys and header, and the turns that are
;; asked for there.  What happens in them is shown by open-think-watch.el.

;;; Code:

(require 'open-think-watch)

(defcustom open-think-default-session "emacs"
  "The session that commands talk to, unless another one was chosen."
  :type 'string
  :group 'open-think)

(defcustom open-think-default-mode "selective"
  "The mode in which sessions begin."
  :type '(choice (const :tag "Plan only" "propose")
                 (const :tag "Run safe skills, hold dangerous ones" "selective")
                 (const :tag "Run all" "auto")
                 string)
  :group 'open-think)

(defcustom open-think-default-provider nil
  "The provider with which sessions begin; nil for the daemon's own choice."
  :type '(choice (const :tag "The daemon's choice" nil) string)
  :group 'open-think)

(defvar open-think--last-session nil
  "The session that was talked to last.")

(defvar-local open-think--mode nil
  "The mode of the next turn.")

(defvar-local open-think--provider nil
  "The provider of the next turn, or nil.")

(defvar-local open-think--warmth nil
  "What the daemon said last of the provider, as in \"offline (cold)\".")

(defvar-local open-think--running 0
  "How many of this buffer's own turns have not ended.")

(defvar open-think-session-mode-map
  (let ((map (make-sparse-keymap)))
    (define-key map (kbd "a") #'open-think-approve)
    (define-key map (kbd "d") #'open-think-deny)
    (define-key map (kbd "i") #'open-think-ask)
    (define-key map (kbd "m") #'open-think-set-mode)
    (define-key map (kbd "p") #'open-think-set-provider)
    (define-key map (kbd "s") #'open-think-sessions)
    (define-key map (kbd "k") #'open-think-invoke-skill)
    (define-key map (kbd "TAB") #'forward-button)
    (define-key map (kbd "<backtab>") #'backward-button)
    (define-key map (kbd "C-c C-c") #'open-think-interrupt)
    map)
  "Keys of the buffers of sessions.")

(declare-function open-think-approve "open-think")
(declare-function open-think-deny "open-think")
(declare-function open-think-ask "open-think")
(declare-function open-think-set-mode "open-think")
(declare-function open-think-set-provider "open-think")
(declare-function open-think-sessions "open-think")
(declare-function open-think-invoke-skill "open-think")
(declare-function open-think-interrupt "open-think")

(define-derived-mode open-think-session-mode special-mode "Open-Think"
  "Major mode for a session with Helm.

\\{open-think-session-mode-map}"
  :interactive nil
  (buffer-disable-undo)
  (visual-line-mode)
  (add-hook 'kill-buffer-hook #'open-think--unwatch nil t)
  (setq-local revert-buffer-function #'open-think--reload)
  (setq-local open-think--decide-function #'open-think--decide)
  (setq header-line-format '(:eval (open-think--header)))
  (setq open-think--mode open-think-default-mode
        open-think--provider open-think-default-provider))

(defun open-think--buffer (session)
  "The buffer of SESSION, which is made if there is none."
  (or (open-think--buffer-of session)
      (with-current-buffer (generate-new-buffer (format "*open-think: %s*" session))
        (open-think-session-mode)
        (setq open-think--session session)
        (current-buffer))))

(defun open-think--current ()
  "The buffer of the session that a command is about."
  (if open-think--session
      (current-buffer)
    (open-think--buffer (or open-think--last-session open-think-default-session))))

(defun open-think--header ()
  "What stands above a session."
  (replace-regexp-in-string
   "%" "%%"
   (concat " " open-think--session
           "   mode " open-think--mode
           "   provider " (or open-think--warmth open-think--provider "?")
           (cond ((not (open-think-connected-p)) "   not connected")
                 ((cl-plusp open-think--running) "   working, C-c C-c interrupts")))
   t t))

(defun open-think--turn (method params &optional failed)
  "Ask for a turn, or for the rest of one, by METHOD with PARAMS.
FAILED is called if it fails.  Its events come by the subscription."
  (let ((buffer (current-buffer)))
    (setq open-think--last-session open-think--session
          open-think--told-errors nil)
    (cl-incf open-think--running)
    (force-mode-line-update)
    (open-think--request
     method `(:sessionName ,open-think--session ,@params)
     (open-think--in buffer
       (lambda (result)
         (setq open-think--running (max 0 (1- open-think--running)))
         (open-think--ask-warmth)
         (when (and (cl-plusp (length (plist-get result :suggestedActions)))
                    (not (get-buffer-window (current-buffer) 'visible)))
           (message "open-think: actions wait for your decision in %s" (buffer-name)))))
     (open-think--in buffer
       (lambda (failure)
         (when failed
           (funcall failed))
         (setq open-think--running (max 0 (1- open-think--running)))
         (unless (open-think--lost-p failure)
           (open-think--ask-warmth)
           (open-think--render-error failure)
           (unless (get-buffer-window (current-buffer) 'visible)
             (open-think--report failure))))))))

(defun open-think--decide (decision id input)
  "Decide the held action ID: DECISION is \"approve\" or \"deny\".
INPUT, if it is there, replaces what the skill is called with."
  (let ((buffer (current-buffer)))
    (open-think--render-decision id (if (equal decision "approve") "approved" "denied"))
    (open-think--watch
     buffer
     (lambda ()
       (open-think--turn "conductor.approve"
                         `(:actionIds [,id] :decision ,decision ,@(when input (list :input input)))
                         (lambda () (open-think--render-undecided id)))))))

(defun open-think--ask-warmth ()
  "Ask how warm the provider of this buffer is, for its header."
  (open-think--request
   "daemon.status" nil
   (open-think--in (current-buffer)
     (lambda (status)
       (let* ((id (or open-think--provider (plist-get status :defaultProvider)))
              (row (seq-find (lambda (row) (equal (plist-get row :id) id)) (plist-get status :providers))))
         (setq open-think--warmth (if row (format "%s (%s)" id (plist-get row :state)) id))
         (force-mode-line-update))))
   #'ignore))

(defun open-think--forget-turns (_)
  "Count from zero, for the connection is gone."
  (dolist (buffer (open-think--buffers))
    (with-current-buffer buffer
      (setq open-think--running 0))))

(add-hook 'open-think-watched-functions #'open-think--ask-warmth)
(add-hook 'open-think-lost-functions #'open-think--forget-turns)

(provide 'open-think-session)
;;; open-think-session.el ends here
