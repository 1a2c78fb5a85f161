;;; open-think.el --- Ask Helm, the agent of the Open Think daemon  -*- lexical-binding: t; -*-

;; Author: The Open Think authors
;; Version: 0.1.0
;; Package-Requires: ((emacs "28.1"))
;; Keywords: tools, convenience
;; SPDX-License-Identifier: MIT OR Apache-2.0

;;; Commentary:

;; The daemon `open-think' holds what is slow or secret between programs and
;; language models, and runs Helm, an agent that plans with skills.  This
;; package talks to it by the built-in jsonrpc.el:
;;
;;     (global-set-key (kbd "C-c h") 'open-think-command-map)
;;
;; C-c h a asks, with the region if it is active; the answer streams into the
;; buffer of the session, where held actions have buttons.

;;; Code:

(require 'open-think-connection)
(require 'open-think-picker)
(require 'open-think-session)
(require 'open-think-skills)
(require 'open-think-editor)

;;;###autoload (autoload 'open-think-command-map "open-think" nil t 'keymap)
(defvar open-think-command-map
  (let ((map (make-sparse-keymap)))
    (define-key map "a" #'open-think-ask)
    (define-key map "y" #'open-think-approve)
    (define-key map "n" #'open-think-deny)
    (define-key map "i" #'open-think-interrupt)
    (define-key map "m" #'open-think-set-mode)
    (define-key map "p" #'open-think-set-provider)
    (define-key map "s" #'open-think-sessions)
    (define-key map "k" #'open-think-invoke-skill)
    (define-key map "?" #'open-think-status)
    (define-key map "q" #'open-think-shutdown)
    map)
  "Commands of Open Think, to be bound to a key.")
(fset 'open-think-command-map open-think-command-map)

;;; Asking

(defvar open-think--prompts nil
  "What was asked before.")

;;;###autoload
(defun open-think-ask (prompt &optional session)
  "Say PROMPT to Helm, and show the session's buffer.
The region, if it is active, goes along with its file and lines.
With a prefix argument choose the SESSION."
  (interactive (list (read-string "Ask Helm: " nil 'open-think--prompts)
                     (when current-prefix-arg (open-think--read-session "In session: "))))
  (when (string-blank-p prompt)
    (user-error "Nothing to ask"))
  (let ((text (if (and (use-region-p) (not open-think--session))
                  (concat prompt "\n\n" (open-think--region))
                prompt))
        (buffer (if session (open-think--buffer session) (open-think--current))))
    (open-think--watch
     buffer
     (lambda ()
       (open-think--render-user text)
       (open-think--turn "conductor.message"
                         `( :content ,text
                            :mode ,open-think--mode
                            ,@(when open-think--provider (list :provider open-think--provider))))))
    (display-buffer buffer)
    ;; Helm may want to read the selection.
    (setq deactivate-mark nil)
    buffer))

(defun open-think--region ()
  "The region in a fence, and where it is from."
  (let* ((start (region-beginning))
         (end (region-end))
         (text (buffer-substring-no-properties start end))
         (fence "```"))
    (while (string-search fence text)
      (setq fence (concat fence "`")))
    (format "%s, lines %d to %d:\n\n%s%s\n%s%s%s"
            (if buffer-file-name (abbreviate-file-name buffer-file-name) (buffer-name))
            (line-number-at-pos start t) (open-think--last-line start end)
            fence (open-think--language)
            text (if (string-suffix-p "\n" text) "" "\n") fence)))

;;;###autoload
(defun open-think-approve (&optional edit)
  "Approve the held action at point, or the only one, and go on with its turn.
With a prefix argument EDIT its input before."
  (interactive "P")
  (open-think--decide-here "approve" edit))

;;;###autoload
(defun open-think-deny ()
  "Deny the held action at point, or the only one, and go on with its turn."
  (interactive)
  (open-think--decide-here "deny" nil))

(defun open-think--decide-here (decision edit)
  "Make the DECISION; EDIT the input of the action before."
  (with-current-buffer (open-think--current)
    (let* ((id (open-think--action-here))
           (action (alist-get id open-think--actions nil nil #'equal)))
      (open-think--decide decision id
                          (when edit
                            (open-think--read-json "Input (JSON): "
                                                   (open-think--json (plist-get action :input))))))))

;;;###autoload
(defun open-think-interrupt ()
  "Interrupt the running turn of the session."
  (interactive)
  (with-current-buffer (open-think--current)
    (let ((session open-think--session))
      (open-think--request "conductor.interrupt" `(:sessionName ,session)
                           (lambda (result)
                             (unless (eq t (plist-get result :interrupted))
                               (message "Nothing runs in %s" session)))))))

;;; Choosing

;;;###autoload
(defun open-think-set-mode (mode)
  "Set the MODE of what is asked next in the session."
  (interactive
   (list (open-think--choose "Mode: "
                             (append '(("propose" . "plan only")
                                       ("selective" . "run safe skills, hold dangerous ones")
                                       ("auto" . "run all"))
                                     (mapcar #'list (seq-difference (plist-get open-think--capabilities :modes)
                                                                    '("propose" "selective" "auto")))))))
  (with-current-buffer (open-think--current)
    (setq open-think--mode mode)
    (force-mode-line-update)))

;;;###autoload
(defun open-think-set-provider (provider)
  "Set the PROVIDER of what is asked next; nil for the daemon's choice."
  (interactive
   (let* ((rows (plist-get (open-think--fetch "providers.list" nil) :providers))
          (ready (seq-group-by (lambda (row) (eq t (plist-get row :configured))) rows))
          (remarks (mapcar (lambda (row) (cons (plist-get row :id) (open-think--provider-remark row)))
                           (append (alist-get t ready) (alist-get nil ready))))
          (name (open-think--choose "Provider: " (cons '("default" . "the daemon's own choice") remarks))))
     (list (unless (member name '("default" "")) name))))
  (with-current-buffer (open-think--current)
    (setq open-think--provider provider
          open-think--warmth provider)
    (open-think--ask-warmth)))

;;;###autoload
(defun open-think-sessions (session)
  "Go to the buffer of SESSION, an old one or a new one."
  (interactive (list (open-think--read-session "Session, or a new name: ")))
  (let ((buffer (open-think--buffer session)))
    (setq open-think--last-session session)
    (open-think--watch buffer #'ignore)
    (pop-to-buffer buffer)))

;;; Skills without a model

;;;###autoload
(defun open-think-invoke-skill (skill input &optional confirmed)
  "Run SKILL with INPUT, without a model, and show what it gives.
INPUT is what `json-serialize' takes.  CONFIRMED lets a dangerous one run."
  (interactive
   (let* ((rows (plist-get (open-think--fetch "skills.list" nil) :skills))
          (id (open-think--choose "Skill: " (mapcar (lambda (row)
                                                      (cons (plist-get row :id)
                                                            (concat (when (eq t (plist-get row :dangerous)) "dangerous, ")
                                                                    (plist-get row :description))))
                                                    rows)))
          (row (seq-find (lambda (row) (equal id (plist-get row :id))) rows))
          (schema (plist-get row :inputSchema))
          (input (if (plist-get schema :properties)
                     (open-think--read-json "Input (JSON): " (open-think--template schema))
                   (make-hash-table))))
     (list id input
           (and (eq t (plist-get row :dangerous))
                (or (yes-or-no-p (format "%s is dangerous.  Run it with %s? " id (json-encode input)))
                    (user-error "Not run"))))))
  (message "Running %s..." skill)
  (open-think--request "skills.invoke"
                       `(:skill ,skill :input ,input :confirm ,(if confirmed t :json-false))
                       (lambda (result)
                         (open-think--show-page (format "*open-think: result of %s*" skill)
                                                (open-think--json (plist-get result :data) t)))))

;;; The daemon

;;;###autoload
(defun open-think-status ()
  "Show how the daemon is."
  (interactive)
  (open-think--request
   "daemon.status" nil
   (lambda (status)
     (open-think--show-page
      "*open-think status*"
      (mapconcat
       (lambda (line) (concat (string-pad (car line) 16) (format "%s" (cdr line))))
       `(("version" . ,(plist-get status :version))
         ("process" . ,(plist-get status :pid))
         ("up since" . ,(format-time-string "%F %T" (/ (plist-get status :startedAt) 1000)))
         ("clients" . ,(plist-get status :clients))
         ("running turns" . ,(length (plist-get status :runningTurns)))
         ("skills" . ,(plist-get status :skills))
         ,@(mapcar (lambda (row)
                     (let ((why (plist-get row :why)))
                       (cons "provider" (concat (plist-get row :id) ", " (plist-get row :state)
                                                (when why (format " (%s)" why))
                                                (when (equal (plist-get row :id) (plist-get status :defaultProvider))
                                                  ", default")))))
                   (plist-get status :providers))
         ,@(when-let ((usage (plist-get status :usage)))
             `(("today" . ,(format "%s calls, $%.4f" (plist-get usage :calls) (plist-get usage :costUsd)))))
         ("configuration" . ,(plist-get status :configFile))
         ("log" . ,(plist-get status :logFile)))
       "\n")))))

;;;###autoload
(defun open-think-shutdown ()
  "End the connection to the daemon.
The daemon goes on for other clients, and the next command connects again."
  (interactive)
  (if (open-think-connected-p)
      (open-think--leave)
    (user-error "There is no connection")))

(provide 'open-think)
;;; open-think.el ends here
